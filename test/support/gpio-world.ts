import { spawn } from 'node:child_process';
import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const worldFile = '/sys/class/gpio/.world';

/** Set where a test runs in the mount namespace of `gpio-sysfs.py`. */
export const insideGpioWorld = process.env['LAUREL_GPIO_WORLD'] === '1';

/** Why the GPIO file system cannot be mounted here; undefined where it can. */
export function gpioWorldMissing(): string | undefined {
  if (process.platform !== 'linux') return 'not Linux';
  if (process.getuid?.() !== 0) return 'not root';
  for (const path of ['/dev/fuse', '/usr/bin/unshare', '/usr/bin/python3']) {
    try {
      accessSync(path, constants.R_OK);
    } catch {
      return `no ${path}`;
    }
  }
  return undefined;
}

/** Runs a command where /sys/class/gpio is the test's own file system, in a private mount namespace. */
export async function runInGpioWorld(command: readonly string[]): Promise<{ readonly status: number | null; readonly output: string }> {
  const script = fileURLToPath(new URL('./gpio-sysfs.py', import.meta.url));
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VITEST|TEST$|NODE_V8_COVERAGE)/u.test(name)));
  const child = spawn('/usr/bin/unshare', ['--mount', '--propagation', 'private', '/usr/bin/python3', script, '--', ...command], {
    env: { ...env, LAUREL_GPIO_WORLD: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { status, output };
}

const logSchema = z.array(z.object({ ms: z.number(), line: z.number(), what: z.enum(['drive', 'input', 'unexport']), level: z.number() }));
export type GpioLogEntry = z.output<typeof logSchema>[number];

/** The world around the pins; only inside `runInGpioWorld`. Lines are global numbers, levels the pin's own. */
export const gpioWorld = {
  set: (line: number, level: 0 | 1): void => command(`set ${line} ${level}`),
  udev: (delayMs: number): void => command(`udev ${delayMs}`),
  take: (line: number): void => command(`take ${line}`),
  stuck: (line: number, level: 0 | 1): void => command(`stuck ${line} ${level}`),
  unplug: (label: string): void => command(`unplug ${label}`),
  plug: (label: string): void => command(`plug ${label}`),
  log: (line?: number): readonly GpioLogEntry[] => {
    const entries = logSchema.parse(JSON.parse(readFileSync(worldFile, 'utf8')));
    return line === undefined ? entries : entries.filter((entry) => entry.line === line);
  },
};

function command(text: string): void {
  writeFileSync(worldFile, text);
}
