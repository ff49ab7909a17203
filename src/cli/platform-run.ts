import { GateError } from '../base/index.js';
import { systemClock } from '../base/system-clock.js';
import { LedgerFile } from '../platform/index.js';
import { ReferencePlatform, statusMessageSchema, type GateLedger, type GateName, type LedgerNote, type Taken } from '../uplink/index.js';
import { eventLine } from './events.js';
import { localTime, print, terminalWords } from './output.js';
import { gateNamed, lineOptions, type LineOptions } from './platform-line.js';

export interface RunOptions extends LineOptions {
  readonly site?: readonly string[] | undefined;
  readonly ledger: string;
  readonly after?: readonly string[] | undefined;
  readonly json: boolean;
}

const words: Readonly<Record<Exclude<LedgerNote['kind'], 'anew'>, string>> = {
  gap: 'not here yet',
  declared: 'declared lost by the gate',
  repeated: 'came again',
  conflicting: 'CONFLICT: another event came under this number',
  reordered: 'out of turn',
  'chain-broken': 'CHAIN BROKEN: does not follow from the event before',
  'hash-wrong': 'CHAIN BROKEN: the hash does not fit the event',
  reduced: 'came without its payload, too large for the broker; see it at the gate (gatectl events)',
  'not-kept': 'too far ahead to be kept; the gate sends it again',
};

interface Told {
  readonly kind: LedgerNote['kind'];
  readonly first: number;
  readonly last: number;
}

/** Notes with neighbours of a kind taken together. */
export function toldOf(notes: readonly LedgerNote[]): readonly Told[] {
  const told: { kind: LedgerNote['kind']; first: number; last: number }[] = [];
  for (const note of notes) {
    const { first, last } = note.kind === 'anew' ? { first: note.epoch, last: note.after } : 'seq' in note ? { first: note.seq, last: note.seq } : note;
    const before = told.at(-1);
    if (before?.kind === note.kind && note.kind !== 'anew' && first === before.last + 1) before.last = last;
    else told.push({ kind: note.kind, first, last });
  }
  return told;
}

function lineOf({ kind, first, last }: Told): string {
  if (kind === 'anew') return `its journal began anew (epoch ${first}; the one before ended at ${last}): its memory card was changed, or its data directory is new`;
  return `${first === last ? `#${first}` : `#${first} to #${last}`}  ${words[kind]}`;
}

/** `gatectl platform run`: takes in, keeps, acknowledges, and says what it sees, until Ctrl+C. */
export async function runPlatform(options: RunOptions): Promise<void> {
  const { json } = options;
  const after = (options.after ?? []).map((text) => {
    const [name, seq = ''] = text.split('=');
    if (!/^\d{1,15}$/u.test(seq)) throw new GateError('CLI_USAGE', `"${text}": write SITE/GATE=NUMBER, e.g. laurel/east=5120.`);
    return { name: gateNamed(name), seq: Number(seq) };
  });
  const line = await lineOptions(options);
  const file = LedgerFile.open(options.ledger, () => systemClock.wallMs());
  const terminal = terminalWords();
  const say = (name: GateName, kind: string, facts: object, text: string): void => print(json ? JSON.stringify({ kind, ...name, ...facts }) : `${name.site}/${name.gate}  ${text}`);
  const tell = (name: GateName, ledger: GateLedger, { entered, notes }: Taken, historical: boolean): void => {
    for (const { event } of entered) say(name, 'event', { historical, event }, `${eventLine(event, terminal)}${historical ? '  (backlog)' : ''}`);
    for (const told of toldOf(notes)) {
      say(name, told.kind, { first: told.first, last: told.last }, `${localTime(systemClock.wallMs())}  ${lineOf(told)}`);
      if (told.kind === 'gap' && told.first === 1 && ledger.through === 0 && !json) print(`  If another platform has these and the gate has let go of them, nothing is acknowledged here: begin anew with --after ${name.site}/${name.gate}=${told.last}`);
    }
  };
  const platform = new ReferencePlatform({
    ...line,
    ...(options.site === undefined ? {} : { sites: options.site }),
    takes: ['event', 'status', 'telemetry'],
    accepts: { encodings: ['gzip'] },
    books: {
      open: (name) => file.open(name),
      keep: (name, ledger, taken, historical) => {
        file.keep(name, ledger, taken, historical);
        tell(name, ledger, taken, historical);
      },
    },
  });
  try {
    for (const { name, seq } of after) file.beginAfter(name, seq);
    const ended = new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    });
    platform.hear('status', (name, message) => {
      const status = statusMessageSchema.parse(message);
      file.status(name, status);
      say(name, 'status', { status }, `${localTime(systemClock.wallMs())}  ${status.state}${status.state === 'offline' ? ` (${status.reason})` : ''}`);
    });
    platform.hear('telemetry', (name) => file.seen(name));
    await platform.start();
    if (!json) print(`Listening at ${options.broker}, ledger ${options.ledger}. Ctrl+C ends; it goes on here the next time.`);
    await ended;
  } finally {
    await platform.stop();
    file.close();
  }
}
