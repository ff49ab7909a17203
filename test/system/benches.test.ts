import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

/** Short forms: they say that the benches drive the whole gate and print what they promise, never how fast it is. */
const loadSchema = z.object({
  framesPerSecond: z.number().positive(),
  eventsDrained: z.number().positive(),
  viewers: z.number().positive(),
  picturesShown: z.number().positive(),
  liveKilobytes: z.number().positive(),
  passwordChecks: z.number().positive(),
});
const latencySchema = z.object({
  name: z.literal('latency'),
  figures: z.object({ warmP50Ms: z.number(), warmP99Ms: z.number(), coldP50Ms: z.number(), coldP99Ms: z.number() }),
  simulated: z.object({ warm: z.number().positive(), cold: z.number().positive() }),
  modbus: z.object({ warm: z.number().positive(), cold: z.number().positive(), beyondWire: z.object({ warmP50Ms: z.number() }) }),
  reference: z.object({ n: z.number().positive(), p50Ms: z.number().positive() }),
  load: loadSchema,
});
const controlSchema = z.object({
  name: z.literal('control'),
  figures: z.object({ eventLoopP999Ms: z.number(), eventLoopMaxMs: z.number().positive() }),
  reference: z.object({ p999Ms: z.number(), maxMs: z.number() }),
  load: loadSchema,
});

const journalSchema = z.object({
  name: z.literal('journal'),
  figures: z.object({ singlePerSecond: z.number().positive(), groupedPerSecond: z.number().positive(), fdatasyncPerSecond: z.number().positive(), reopenMs: z.number().positive(), lookupMs: z.number().positive() }),
  reference: z.object({ growingPerSecond: z.number().positive(), preallocatedPerSecond: z.number().positive(), rounds: z.number().positive(), singleToGrowing: z.number().positive() }),
  reopen: z.object({ rows: z.number(), megabytes: z.number().positive(), ms: z.array(z.number().positive()), emptyMs: z.array(z.number().positive()) }),
  lookup: z.object({ plates: z.literal(100_000), forgiven: z.number() }),
});

const uplinkSchema = z.object({
  name: z.literal('uplink'),
  figures: z.object({ drainPerSecond: z.number().positive(), bareClientPerSecond: z.number().positive(), liveDelayP99Ms: z.number().positive(), rssMB: z.number().positive() }),
  reference: z.object({ before: z.number().positive(), after: z.number().positive() }),
  live: z.object({ events: z.number().positive() }),
  drained: z.object({ events: z.number(), repeated: z.number() }),
});

const spreadSchema = z.object({ median: z.number().positive(), least: z.number().positive(), most: z.number().positive() });
const takenSchema = z.object({ messages: z.number(), seconds: spreadSchema, decisions: z.number().positive() });
const listsSchema = z.object({
  name: z.literal('lists'),
  figures: z.object({ plates: z.literal(100_000), fullSeconds: z.number().positive(), deltaSeconds: z.number().positive(), eventLoopMaxMs: z.number().positive() }),
  reference: z.object({ maxMs: z.number() }),
  full: takenSchema,
  delta: takenSchema,
});

async function bench(name: string, ...more: readonly string[]): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', 'scripts/bench/main.ts', name, '--json', ...more], { maxBuffer: 10_000_000 });
  return JSON.parse(stdout);
}

describe('benches under full load', () => {
  it('latency lets vehicles in on both kinds of hardware, read before the loop and after', { timeout: 240_000 }, async () => {
    const { figures, simulated } = latencySchema.parse(await bench('latency', '--backlog', '3000', '--passages', '3'));
    expect(figures.coldP50Ms).toBeGreaterThan(figures.warmP50Ms);
    expect(simulated.warm).toBeGreaterThanOrEqual(3);
  });

  it('control watches the event loop while everything works', { timeout: 240_000 }, async () => {
    const { figures } = controlSchema.parse(await bench('control', '--backlog', '3000', '--seconds', '4'));
    // The quantile counts whole milliseconds.
    expect(Math.ceil(figures.eventLoopMaxMs)).toBeGreaterThanOrEqual(figures.eventLoopP999Ms);
  });
});

describe('the bench of the journal', () => {
  it('writes beside bare syncs, kills the writer and finds every row again, and decides among 100,000 plates', { timeout: 240_000 }, async () => {
    const { reopen, lookup } = journalSchema.parse(await bench('journal', '--rows', '2000', '--rounds', '2'));
    expect(reopen.rows).toBeGreaterThan(2_000);
    expect(reopen.ms).toHaveLength(reopen.emptyMs.length);
    expect(lookup.forgiven).toBeGreaterThan(0.5);
  });
});

describe('the bench of the journal on a disk made slow', () => {
  it('shows journal and bare syncs held up alike', { timeout: 240_000 }, async () => {
    const { figures } = journalSchema.parse(await bench('journal', '--rows', '500', '--rounds', '1', '--sync-ms', '5'));
    expect(figures.fdatasyncPerSecond).toBeLessThan(200);
    expect(figures.singlePerSecond).toBeLessThan(200);
  });
});

describe('the bench of the lists', () => {
  it('puts 100,000 plates in force, whole and as a change, while a lane asks and an idle process stands beside', { timeout: 240_000 }, async () => {
    const { full, delta } = listsSchema.parse(await bench('lists', '--rounds', '1'));
    expect(full.messages).toBeGreaterThan(20);
    expect(delta.messages).toBe(1);
  });
});

describe('the bench of the uplink', () => {
  it('drains a backlog beside a bare client, with live events meanwhile', { timeout: 240_000 }, async () => {
    const { drained } = uplinkSchema.parse(await bench('uplink', '--backlog', '40000'));
    expect(drained.events).toBeGreaterThanOrEqual(40_000);
    expect(drained.repeated).toBe(0);
  });
});
