/** One thing wrong in a configuration file, for people and for pages. Never holds a secret. */
export interface ConfigFault {
  /** `lanes[0].barrier.pulseMs`; '' for the file as a whole. */
  readonly path: string;
  /** Place in the file, from 1; null where the file as a whole is meant. */
  readonly line: number | null;
  readonly column: number | null;
  /** What stands there. */
  readonly found: string;
  /** What should. */
  readonly expected: string;
  /** A line to copy. */
  readonly example: string | null;
  /** For an unknown key: the known one that comes nearest. */
  readonly nearest: string | null;
}

/** A fault before its place in the file is known. */
export interface RawFault {
  readonly path: readonly (string | number)[];
  readonly found: string;
  readonly expected: string;
  readonly example?: string | undefined;
  readonly nearest?: string | undefined;
  /** The fault is the key itself, not its value. */
  readonly atKey?: boolean;
}

/**
 * Faults as a technician reads them on a terminal.
 * @param file name shown before line and column, so that editors and terminals can jump there
 */
export function formatFaults(faults: readonly ConfigFault[], file: string): string {
  if (faults.length === 0) return `${file}: no faults`;
  const blocks = faults.map((fault) => block(fault, file, 'expected'));
  return `${file}: ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}\n\n${blocks.join('\n\n')}`;
}

/** Hints for a terminal, below the faults; empty where there are none. */
export function formatHints(hints: readonly ConfigFault[], file: string): string {
  if (hints.length === 0) return '';
  return `${file}: ${hints.length} ${hints.length === 1 ? 'hint' : 'hints'}\n\n${hints.map((hint) => block(hint, file, 'better')).join('\n\n')}`;
}

function block(fault: ConfigFault, file: string, label: 'expected' | 'better'): string {
  const place = fault.line === null ? file : `${file}:${fault.line}:${fault.column ?? 1}`;
  const lines = [`${place}  ${fault.path}`.trimEnd(), `  found     ${fault.found}`, `  ${label.padEnd(8)}  ${fault.expected}`];
  if (fault.nearest !== null) lines.push(`  perhaps   ${fault.nearest}`);
  if (fault.example !== null) lines.push(`  example   ${fault.example}`);
  return lines.join('\n');
}
