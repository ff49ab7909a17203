const LOOK_MS = 500;

/** Ends this process soon after its parent has: a campaign that is killed leaves nobody behind who keeps the processor busy. */
export function endWithParent(): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
  }, LOOK_MS).unref();
}
