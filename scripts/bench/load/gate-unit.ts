import { readFileSync } from 'node:fs';

/** What systemd/laurel-gate.service gives the gate, so that a bench measures it as it runs where it is installed. */
const unit = readFileSync(new URL('../../../systemd/laurel-gate.service', import.meta.url), 'utf8');

/** How a process of a bench is started. */
export interface ProcessSettings {
  /** Nice value. */
  readonly priority: number;
  /** Added to this process's. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Processors it may run on, as `taskset -c` takes them; those of this process where omitted. */
  readonly processors?: string | undefined;
}

/** As the unit starts the gate: its priority, and what its C library does with memory. */
export const asInstalled: ProcessSettings & Required<Pick<ProcessSettings, 'environment'>> = {
  priority: Number(/^Nice=(?<nice>-?\d+)$/mu.exec(unit)?.groups?.['nice'] ?? 0),
  environment: Object.fromEntries([...unit.matchAll(/^Environment=(?<name>MALLOC_\w+)=(?<value>\d+)$/gmu)].map(({ groups }) => [groups?.['name'] ?? '', groups?.['value'] ?? ''])),
};
