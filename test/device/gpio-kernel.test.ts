import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const script = fileURLToPath(new URL('../../scripts/check-gpio', import.meta.url));
/** Exit status of the script where it lacks root, the network or an amd64 machine. */
const cannotBeSetUp = 3;
/** A first run fetches a kernel and its source. */
const limitMs = 15 * 60_000;

const reportSchema = z.object({
  ok: z.boolean(),
  complete: z.boolean(),
  kernel: z.string(),
  checks: z.array(z.object({ interface: z.enum(['auto', 'chardev', 'sysfs']), check: z.string(), ok: z.boolean(), detail: z.string().optional() })),
});

interface Run {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

async function run(args: readonly string[]): Promise<Run> {
  const child = spawn(script, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { status, output, errors };
}

describe('GPIO on a real kernel', () => {
  it(
    'keeps the contract on the simulated chip of a virtual machine, through every interface',
    async (context) => {
      const { status, output, errors } = await run(['--json']);
      if (status === cannotBeSetUp) {
        console.log(`GPIO on a real kernel skipped: ${errors.trim().split('\n').at(-1) ?? ''}`);
        context.skip();
      }
      expect(output, errors).not.toBe('');
      const report = reportSchema.parse(JSON.parse(output));
      expect(report.checks.filter((check) => !check.ok)).toEqual([]);
      for (const name of ['auto', 'chardev', 'sysfs']) expect(report.checks.filter((check) => check.interface === name).length).toBeGreaterThan(10);
      expect([status, report.ok, report.complete], errors).toEqual([0, true, true]);
    },
    limitMs,
  );

  it('says what is wrong with a wrong option', async () => {
    const { status, output, errors } = await run(['--fast']);
    expect([status, output]).toEqual([2, '']);
    expect(errors).toContain('unknown option --fast');
  });
});
