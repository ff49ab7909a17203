import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Two halves of the processors that this process may run on, as `taskset -c` takes them. */
export interface Halves {
  readonly gate: string;
  readonly outside: string;
}

/** Numbers of a list as the kernel writes it, e.g. `0-2,5`. */
function listed(text: string): number[] {
  return text.split(',').flatMap((part) => {
    const [first = NaN, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}

/** Undefined where there is one processor alone, or `taskset` cannot bind to them. */
export function halvesOfProcessors(): Halves | undefined {
  const allowed = /^Cpus_allowed_list:\s*(?<list>[\d,-]+)$/mu.exec(readFileSync('/proc/self/status', 'utf8'))?.groups?.['list'];
  const all = listed(allowed ?? '0');
  const middle = Math.floor(all.length / 2);
  if (middle === 0) return undefined;
  const halves = { gate: all.slice(0, middle).join(','), outside: all.slice(middle).join(',') };
  try {
    execFileSync('taskset', ['-c', halves.gate, 'true']);
    return halves;
  } catch {
    return undefined;
  }
}

/** From now on this process, and whatever it starts, runs on these processors alone. */
export function runOn(processors: string): void {
  execFileSync('taskset', ['-acp', processors, String(process.pid)], { stdio: 'ignore' });
}
