import { columnsOf } from './output.js';

/** Cuts a line to the columns of a terminal, so that it never wraps. */
export function cut(line: string, columns: number): string {
  if (columnsOf(line) <= columns) return line;
  let kept = '';
  let used = 0;
  for (const letter of line) {
    used += columnsOf(letter);
    if (used > columns - 1) break;
    kept += letter;
  }
  return `${kept}…`;
}

/** A serial console tells no size, or 0. */
function sizeOr(size: number | undefined, usual: number): number {
  return size === undefined || size === 0 ? usual : size;
}

export interface Terminal {
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/**
 * A page that is drawn over and over in the terminal's second screen (xterm's 1049), so that what stood there before
 * comes back. Lines are overwritten in place and only what is left over is erased: nothing flickers over a slow SSH.
 */
export class Screen {
  readonly #terminal: Terminal;
  #open = false;
  readonly #restore = (): void => this.close();

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  get rows(): number {
    return sizeOr(this.#terminal.rows, 24);
  }

  open(): void {
    this.#open = true;
    process.on('exit', this.#restore);
    this.#terminal.write('\u001b[?1049h\u001b[?25l\u001b[H\u001b[2J');
  }

  draw(lines: readonly string[]): void {
    if (!this.#open) return;
    const columns = sizeOr(this.#terminal.columns, 80);
    const shown = lines.slice(0, this.rows).map((line) => `${cut(line, columns)}\u001b[K`);
    this.#terminal.write(`\u001b[H${shown.join('\r\n')}\u001b[J`);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    process.removeListener('exit', this.#restore);
    this.#terminal.write('\u001b[?25h\u001b[?1049l');
  }
}
