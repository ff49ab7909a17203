import { readdirSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';

const LOOK_MS = 1;

/** Calls once this process, in whichever of its threads, holds a file of that name open (proc_pid_fd(5)); at once where that cannot be told. */
export function whenOpened(name: string, run: () => void): void {
  const look = setInterval(() => {
    if (isOpen(name) === false) return;
    clearInterval(look);
    run();
  }, LOOK_MS);
}

function isOpen(name: string): boolean | undefined {
  const folder = '/proc/self/fd';
  let handles: readonly string[];
  try {
    handles = readdirSync(folder);
  } catch {
    return undefined;
  }
  return handles.some((handle) => {
    try {
      return basename(readlinkSync(join(folder, handle))) === name;
    } catch {
      // Closed meanwhile.
      return false;
    }
  });
}
