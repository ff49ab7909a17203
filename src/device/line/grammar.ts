/**
 * The line protocol of simple detectors: lines of printable ASCII, each ended by CR, LF or both. A line holds one or more
 * fields, separated by blanks, commas or semicolons; what a field or a whole line says is compared with texts of the
 * configuration. Pure: bytes and times in, statements out.
 */

/** A text to compare with: `?` stands for any one character, `*` for any number of them. */
export type TextPattern = string;

export type Checksum = 'none' | 'xor' | 'sum';

/** How a line of the device says what one input is. */
export interface InputTexts {
  readonly name: string;
  readonly on?: readonly TextPattern[] | undefined;
  readonly off?: readonly TextPattern[] | undefined;
  readonly fault?: readonly TextPattern[] | undefined;
  /** The input is a bit of a hexadecimal number that follows a text, e.g. `IN=` or `!`. */
  readonly hex?: { readonly after: string; readonly bit: number } | undefined;
  /** A decimal number that follows a text is the frequency of the loop, in steps of `scaleHz`. */
  readonly frequency?: { readonly after: string; readonly scaleHz?: number | undefined } | undefined;
}

/** What a line says about one input. `unknown`: it contradicts itself. */
export interface Statement {
  readonly state?: 'on' | 'off' | 'fault' | 'unknown';
  readonly frequencyHz?: number;
  /** The words it said it with. */
  readonly text: string;
}

/** No simple detector sends longer lines; what is longer is noise. */
const mostChars = 200;
/** What stands half for so long was cut off, ms. */
const halfLineMs = 1_000;

/**
 * Cuts bytes into lines. Keeps at most one line's worth of bytes. What comes before the first end of a line is dropped, as
 * it may be half a line; so is a line that is too long, was interrupted, or holds a byte that is no printable ASCII, as a
 * wrong baud rate makes them.
 */
export class LineCutter {
  #line = '';
  #spoilt = true;
  #lastMs = 0;

  /** @returns whole lines, without their ends; empty ones are left out */
  feed(bytes: Uint8Array, nowMs: number): readonly string[] {
    if (this.#line !== '' && nowMs - this.#lastMs > halfLineMs) this.#spoilt = true;
    this.#lastMs = nowMs;
    const lines: string[] = [];
    for (const byte of bytes) {
      if (byte === 0x0a || byte === 0x0d) {
        const line = this.#line.trim();
        if (!this.#spoilt && line !== '') lines.push(line);
        this.#line = '';
        this.#spoilt = false;
      } else if (byte !== 0x09 && (byte < 0x20 || byte > 0x7e)) this.#spoilt = true;
      else if (this.#line.length >= mostChars) this.#spoilt = true;
      else this.#line += String.fromCharCode(byte);
    }
    return lines;
  }

  /** The port was opened anew: what comes first may be half a line. */
  reset(): void {
    this.#line = '';
    this.#spoilt = true;
  }
}

/**
 * Two hexadecimal digits after `*`: `xor` as NMEA 0183 has it (all characters between a leading `$` or `!` and the `*`),
 * `sum` the sum of the same characters modulo 256.
 */
export function checksumOf(body: string, kind: Exclude<Checksum, 'none'>): string {
  const counted = /^[$!]/u.test(body) ? body.slice(1) : body;
  let value = 0;
  for (const character of counted) {
    const code = character.charCodeAt(0);
    value = kind === 'xor' ? value ^ code : (value + code) & 0xff;
  }
  return value.toString(16).toUpperCase().padStart(2, '0');
}

/** The line without its checksum; undefined where it is missing or wrong. */
export function withoutChecksum(line: string, kind: Checksum): string | undefined {
  if (kind === 'none') return line;
  const match = /^(.*)\*([0-9A-Fa-f]{2})$/u.exec(line);
  const [, body, digits] = match ?? [];
  if (body === undefined || digits === undefined) return undefined;
  return checksumOf(body, kind) === digits.toUpperCase() ? body : undefined;
}

/** A text as it is sent, without the end of the line. */
export function withChecksum(text: string, kind: Checksum): string {
  return kind === 'none' ? text : `${text}*${checksumOf(text, kind)}`;
}

/** Tells whether a line says a text, as a whole or with one of its fields. */
export function says(line: string, pattern: TextPattern): boolean {
  return saidBy(line, [pattern]) !== undefined;
}

/** Texts of an input that the configuration does not describe: `NAME=1`, `NAME=0`, `NAME=F…` or `NAME=E…`. */
export function usualTexts(name: string): InputTexts {
  return { name, on: [`${name}=1`], off: [`${name}=0`], fault: [`${name}=F*`, `${name}=E*`] };
}

/** What a line says about an input; undefined where it says nothing. */
export function statementOf(line: string, texts: InputTexts): Statement | undefined {
  const readings: ['on' | 'off' | 'fault', string][] = [];
  for (const [state, patterns] of [['on', texts.on], ['off', texts.off], ['fault', texts.fault]] as const) {
    const text = saidBy(line, patterns ?? []);
    if (text !== undefined) readings.push([state, text]);
  }
  if (texts.hex !== undefined) {
    const { after, bit } = texts.hex;
    for (const { text, rest } of following(line, after)) {
      if (/^[0-9A-Fa-f]{1,8}$/u.test(rest) && bit < 4 * rest.length) readings.push([((parseInt(rest, 16) >>> bit) & 1) === 1 ? 'on' : 'off', text]);
    }
  }
  const frequencyHz = texts.frequency === undefined ? undefined : frequencyIn(line, texts.frequency);
  const states = new Set(readings.map(([state]) => state));
  const text = [...new Set(readings.map(([, said]) => said))].join(' ');
  const [state] = states;
  if (state === undefined) return frequencyHz === undefined ? undefined : { frequencyHz, text };
  return { state: states.size === 1 ? state : 'unknown', ...(frequencyHz === undefined ? {} : { frequencyHz }), text };
}

function frequencyIn(line: string, { after, scaleHz = 1 }: NonNullable<InputTexts['frequency']>): number | undefined {
  for (const { rest } of following(line, after)) if (/^\d{1,9}(?:\.\d{1,6})?$/u.test(rest)) return Number(rest) * scaleHz;
  return undefined;
}

function* following(line: string, after: string): Generator<{ readonly text: string; readonly rest: string }> {
  for (const text of partsOf(line)) if (text.startsWith(after)) yield { text, rest: text.slice(after.length) };
}

/** The fields of a line, and the line itself where it has several. */
function partsOf(line: string): readonly string[] {
  const fields = line.split(/[\s,;]+/u).filter((field) => field !== '');
  return fields.length > 1 ? [...fields, line] : [line];
}

function saidBy(line: string, patterns: readonly TextPattern[]): string | undefined {
  return partsOf(line).find((part) => patterns.some((pattern) => matches(part, pattern)));
}

/** Compares with `?` and `*`, in time proportional to text times pattern whatever they hold. */
function matches(text: string, pattern: TextPattern): boolean {
  let at = 0;
  let expected = 0;
  let star = -1;
  let retry = 0;
  while (at < text.length) {
    const want = pattern[expected];
    if (want === '*') {
      star = expected;
      retry = at;
      expected += 1;
    } else if (want === '?' || (want !== undefined && want === text[at])) {
      at += 1;
      expected += 1;
    } else if (star >= 0) {
      expected = star + 1;
      retry += 1;
      at = retry;
    } else return false;
  }
  while (pattern[expected] === '*') expected += 1;
  return expected === pattern.length;
}
