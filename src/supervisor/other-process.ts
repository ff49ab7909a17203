import { readFileSync, readdirSync } from 'node:fs';

/** A process that cannot be mistaken for a later one with the same number. */
export interface OtherProcess {
  readonly pid: number;
  /** Clock ticks since the boot (proc(5), stat field 22); undefined where it is gone already. */
  readonly startTicks: string | undefined;
}

export function identify(pid: number): OtherProcess {
  return { pid, startTicks: statOf(pid)?.startTicks };
}

/**
 * Whether it still runs and so may hold devices open. Files are closed by the last of its threads, which may be a while
 * after the first has become a zombie.
 */
export function runs({ pid, startTicks }: OtherProcess): boolean {
  const now = statOf(pid);
  if (startTicks === undefined || now?.startTicks !== startTicks || now.state === 'X') return false;
  return now.state !== 'Z' || threadsOf(pid) > 1;
}

/** Sends SIGKILL; works on a stopped or hung process too. Does nothing where it is gone. */
export function killNow(other: OtherProcess): void {
  if (!runs(other)) return;
  try {
    process.kill(other.pid, 'SIGKILL');
  } catch {
    // It ended in this very moment, or is not ours to kill: `runs` tells.
  }
}

function threadsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).length;
  } catch {
    return 0;
  }
}

function statOf(pid: number): { readonly state: string; readonly startTicks: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces and parentheses of its own.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [state, startTicks] = [fields[0], fields[19]];
    return state === undefined || startTicks === undefined ? undefined : { state, startTicks };
  } catch {
    return undefined;
  }
}
