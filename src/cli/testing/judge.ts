/** What a loop did while a car drove on, stood and left. Changes are counted by the driver, so none is missed. */
export interface LoopRun {
  /** From the first look to on; null: never. */
  readonly arrivalMs: number | null;
  /** Changes while the car drove on; one is right. */
  readonly arrivalChanges: number;
  /** Changes while it stood; none is right. */
  readonly holdChanges: number;
  readonly heldMs: number;
  readonly left: boolean;
  /** Changes after it had left and the loop was clear; none is right. */
  readonly settleChanges: number;
  /** At some moment the line could not be read. */
  readonly unreadable: boolean;
}

export type Finding = 'never-on' | 'never-off' | 'bounces-on' | 'drops-out' | 'flutters' | 'unreadable' | 'bounces' | 'contact-silent' | 'not-seen' | 'not-obeyed';

/** What is wrong with a loop; nothing for one that holds as long as the car stands. */
export function judgeLoop(run: LoopRun): readonly Finding[] {
  const findings: Finding[] = [];
  if (run.unreadable) findings.push('unreadable');
  if (run.arrivalMs === null) return [...findings, 'never-on'];
  // A front axle may be seen apart from the rear one; more than one gap is chatter.
  if (run.arrivalChanges > 3) findings.push('bounces-on');
  if (run.holdChanges > 0) findings.push('drops-out');
  if (!run.left) findings.push('never-off');
  if (run.settleChanges > 0) findings.push('flutters');
  return findings;
}

/** What a contact did: how often it was given and let go, and how many changes that took. */
export interface ContactRun {
  readonly wanted: number;
  readonly presses: number;
  readonly changes: number;
  readonly endsOn: boolean;
  readonly unreadable: boolean;
}

export function judgeContact(run: ContactRun): readonly Finding[] {
  const findings: Finding[] = [];
  if (run.unreadable) findings.push('unreadable');
  if (run.endsOn) findings.push('never-off');
  else if (run.presses === 0) findings.push('never-on');
  // Two changes a press; what is more came too fast to be seen as one.
  if (run.changes > 2 * Math.max(run.presses, run.wanted)) findings.push('bounces');
  return findings;
}

/** Run times to configure: the longest of those measured and a tenth, to the next 100 ms, within the schema's bounds. */
export function proposedRunMs(measuredMs: readonly number[]): number {
  const longestMs = Math.max(...measuredMs);
  return Math.min(30_000, Math.max(500, Math.ceil((longestMs * 1.1) / 100) * 100));
}
