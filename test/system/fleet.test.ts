import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { printArithmetic } from '../../scripts/bench/fleet/arithmetic.js';
import { readFleetOptions } from '../../scripts/bench/fleet/options.js';
import { measuredPassage, passageSteps, seededRandom } from '../../scripts/bench/fleet/passage.js';
import { isGateError } from '../../src/base/index.js';

/** Short forms: they say that a fleet run drives real gates and tells everything it promises, never how fast it is. */
const positive = z.number().positive();
const quantiles = z.object({ p50: positive, p99: positive, most: positive });
const loadSchema = z.object({
  arrived: positive,
  messages: positive,
  bytesPerEvent: positive,
  acknowledgements: positive,
  acknowledgementsWritten: positive,
  delayMs: quantiles,
  onDiskMs: quantiles,
  broker: z.object({ cpuPercent: z.number(), rssMB: positive }),
  platform: z.object({ cpuPercent: z.number(), busiestPercent: z.number(), rssMB: positive }),
  perGate: z.object({ cpuPercent: positive, rssMB: positive }),
  machineBusyPercent: positive,
  othersPercent: z.number(),
  followed: z.boolean(),
});
const reportSchema = z.object({
  name: z.literal('fleet'),
  machine: z.object({ processors: positive, syncMs: positive }),
  connect: z.object({ connected: z.number(), seconds: positive, ms: quantiles, brokerCpuMsPerGate: z.number() }),
  backlog: z.object({ events: positive, seconds: positive, eventsPerSecond: positive }).nullable(),
  steady: loadSchema,
  outage: z.object({ back: z.number(), backSeconds: positive, backMs: quantiles, waited: z.number(), drainedSeconds: positive }).nullable(),
  books: z.object({ gates: z.number(), events: positive, lost: z.number(), doubled: z.number(), reordered: z.number(), chainBroken: z.number(), malformed: z.number(), repeated: z.number() }),
});

async function fleet(...options: readonly string[]): Promise<z.output<typeof reportSchema>> {
  const { stdout } = await promisify(execFile)(process.execPath, ['scripts/bench/fleet/start.mjs', '--json', ...options], { maxBuffer: 10_000_000 });
  return reportSchema.parse(JSON.parse(stdout));
}

describe('a fleet of gates against one broker', () => {
  it('comes back from a broker that was killed, with every event of every gate in the platform once', { timeout: 240_000 }, async () => {
    const { connect, backlog, outage, books } = await fleet('--gates', '5', '--seconds', '3', '--rate', '300', '--backlog', '120', '--outage', '1', '--consumers', '2');
    expect(connect.connected).toBe(5);
    expect(backlog?.events).toBe(600);
    expect(outage?.back).toBe(5);
    expect(books).toMatchObject({ gates: 5, lost: 0, doubled: 0, reordered: 0, chainBroken: 0, malformed: 0 });
    expect(books.events).toBeGreaterThan(600);
  });

  it('keeps whole books with a shared subscription over TLS, whatever the order of arrival', { timeout: 240_000 }, async () => {
    const { connect, books } = await fleet('--gates', '3', '--seconds', '2', '--rate', '600', '--outage', '0', '--share', '3', '--tls');
    expect(connect.connected).toBe(3);
    expect(books).toMatchObject({ gates: 3, lost: 0, doubled: 0, chainBroken: 0, malformed: 0 });
  });
});

describe('the light lanes', () => {
  it('write as many events of the same size as the passages of a real gate', () => {
    const random = seededRandom(7);
    let events = 0;
    let bytes = 0;
    const passages = 3_000;
    // Of a gate whose journal may not be its first, as the demonstration's.
    const epoch = 3_807_552_000_696;
    for (let number = 1; number <= passages; number += 1) {
      for (const { event } of passageSteps(random, `demo-1-${number}`)) {
        events += 1;
        const hash = '0'.repeat(64);
        const stored = { id: `laurel-demo-${epoch}-${events}`, epoch, seq: events, lane: null, passage: null, wallMs: 1_795_669_829_973, monoMs: 102_600.034, clockTrusted: true, ...event, previousHash: hash, hash };
        bytes += Buffer.byteLength(JSON.stringify(stored));
      }
    }
    expect(events / passages / measuredPassage.events).toBeCloseTo(1, 1);
    expect(bytes / passages / measuredPassage.eventBytes).toBeCloseTo(1, 1);
  });
});

describe('the command line', () => {
  it('says what is wrong with an option', () => {
    const codeOf = (...args: readonly string[]): string => {
      try {
        readFleetOptions(args);
        return 'taken';
      } catch (error) {
        return isGateError(error) ? error.message : 'no code';
      }
    };
    expect(codeOf('--gates', '0')).toContain('--gates takes a whole number from 1');
    expect(codeOf('--rate', 'fast')).toContain('CLI_USAGE');
    expect(codeOf('--consumers', '2', '--share', '2')).toContain('give one of them');
    expect(codeOf('--fleet')).toContain('CLI_USAGE');
    expect(codeOf('--gates', '3', '--rate', '12.5')).toBe('taken');
  });
});

describe('the arithmetic for large fleets', () => {
  it('grows with the fleet', () => {
    expect(printArithmetic()).toMatch(/\| connections \| n \| 10,000 \| 100,000 \|/u);
  });

  it('is what the README shows', () => {
    expect(readFileSync(new URL('../../README.md', import.meta.url), 'utf8')).toContain(printArithmetic().trim());
  });
});
