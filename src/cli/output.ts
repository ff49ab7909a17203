import { chinese, english, type Words } from '../web/view.js';

/** Writes a line for people or scripts to stdout. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function complain(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** The terminal's language; English where it does not say Chinese. */
export function terminalLanguage(): 'en' | 'zh' {
  const language = process.env['LC_ALL'] ?? process.env['LC_MESSAGES'] ?? process.env['LANG'] ?? '';
  return /^zh/iu.test(language) ? 'zh' : 'en';
}

/** The words of the terminal's language. */
export function terminalWords(): Words {
  return terminalLanguage() === 'zh' ? chinese : english;
}

/** Columns a text takes on a terminal: Chinese characters and full-width signs take two. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const letter of text) columns += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]/u.test(letter) ? 2 : 1;
  return columns;
}

function pad(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - columnsOf(text)));
}

/** Rows in aligned columns, without trailing blanks. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, columnsOf(cell))));
  return rows.map((row) => row.map((cell, index) => pad(cell, widths[index] ?? 0)).join('  ').trimEnd()).join('\n');
}

export function localTime(wallMs: number): string {
  const time = new Date(wallMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

/** `2 d 3 h`, `5 min`, `12 s`. */
export function duration(seconds: number): string {
  const units: readonly (readonly [string, number])[] = [
    ['d', 86_400],
    ['h', 3_600],
    ['min', 60],
    ['s', 1],
  ];
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first < 0) return '0 s';
  let rest = Math.floor(seconds);
  return units
    .slice(first, first + 2)
    .flatMap(([unit, size]) => {
      const count = Math.floor(rest / size);
      rest -= count * size;
      return count === 0 ? [] : [`${count} ${unit}`];
    })
    .join(' ');
}
