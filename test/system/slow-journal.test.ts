import { execFileSync } from 'node:child_process';
import { createReadStream, mkdirSync, mkdtempSync, rmSync, type ReadStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog, type Clock } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { configSchema } from '../../src/config/index.js';
import { Gate } from '../../src/daemon/index.js';
import { SqliteJournal, type EventType, type StoredEvent } from '../../src/journal/index.js';
import { until } from '../support/until.js';

let directory = '';
let gate: Gate | undefined;
let card: SlowCard | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'laurel-slow-'));
});

afterEach(async () => {
  card?.opens();
  await gate?.stop('test ended');
  card?.gone();
  card = undefined;
  gate = undefined;
  rmSync(directory, { recursive: true, force: true });
});

/** The gate does not wait five real seconds here; everything else keeps its time. */
const impatient: Clock = { ...systemClock, after: (ms, run) => systemClock.after(ms === 5_000 ? 300 : ms, run) };

/** Opening a pipe for writing waits for a reader, as a worn card lets its journal wait. */
class SlowCard {
  readonly #ballast = join(directory, 'journal', 'ballast');
  #reader: ReadStream | undefined;

  constructor() {
    mkdirSync(join(directory, 'journal'), { recursive: true });
    rmSync(this.#ballast, { force: true });
    execFileSync('mkfifo', [this.#ballast]);
  }

  opens(): void {
    this.#reader ??= createReadStream(this.#ballast).resume();
  }

  gone(): void {
    this.#reader?.destroy();
  }
}

async function startGate(): Promise<Gate> {
  const config = configSchema.parse({
    site: { id: 'laurel', name: 'laurel' },
    gate: { id: 'test', name: 'test', dataDirectory: directory },
    devices: [{ id: 'world', driver: 'sim' }],
    lanes: (['entry', 'exit'] as const).map((lane) => {
      const line = (name: string): object => ({ device: 'world', line: `${lane}.${name}` });
      return {
        id: lane,
        name: lane,
        direction: lane,
        barrier: { closing: 'gateway-closes', open: line('open'), close: line('close'), openTimeMs: 800, closeTimeMs: 800, closeDelayMs: 200 },
        inputs: Object.fromEntries(['approach', 'closing', 'openLimit', 'closedLimit', 'fire'].map((name) => [name, line(name)])),
      };
    }),
    access: { outside: { policy: 'ask' } },
    web: { port: 0 },
  });
  gate = new Gate({ config, secrets: { cameraPasswords: new Map(), uplink: {} }, clock: impatient, log: silentLog, version: 'test', random: Math.random, printCode: () => undefined });
  await gate.start();
  return gate;
}

describe('S8: a lane goes on whatever else is slow', () => {
  it('a journal that takes minutes to open holds up neither lane, page nor status; uplink and record come when it is open', { timeout: 40_000 }, async () => {
    card = new SlowCard();
    const started = await startGate();
    const { drivers, journal } = started;
    expect(started.webUrl).toMatch(/^https?:/u);
    drivers.world?.world.press('entry', 'fire', true);
    await until(() => (drivers.world?.world.lane('entry').boom.position ?? 0) > 0.95, { timeoutMs: 10_000, what: 'fire to open the boom' });
    card.opens();
    await until(async () => (await journal.events({ types: ['gate.started'], limit: 1 })).length === 1, { timeoutMs: 15_000, what: 'the record' });
    await until(async () => JSON.stringify((await started.status())['uplink']).includes('"connection":"online"'), { timeoutMs: 15_000, what: 'the uplink' });
    expect((await started.status())['epoch']).toBeGreaterThan(0);
  });

  it('what the last run left open is made up when the journal opens late; what this run does goes on untouched', { timeout: 40_000 }, async () => {
    const before = new SqliteJournal({ directory: join(directory, 'journal'), gateId: 'laurel-test', clock: systemClock, log: silentLog, retention: { eventsDays: 365, photographsDays: 30, photographsMB: 100 }, ballastMB: 0 });
    await before.start();
    await before.append({ type: 'passage.started', lane: 'entry', passage: 'old-1', payload: {} });
    await before.append({ type: 'passage.ended', lane: 'entry', passage: 'old-1', payload: { end: 'entered' } });
    await before.append({ type: 'passage.started', lane: 'entry', passage: 'old-2', payload: {} });
    await before.append({ type: 'command.accepted', lane: 'entry', payload: { id: 'old-order', target: 'open', issuer: 'platform:alice' } });
    await before.remember('lane-run-times/exit', { openMs: 1_111, closeMs: 1_222 });
    await before.stop();

    card = new SlowCard();
    const started = await startGate();
    const { drivers, journal } = started;
    const world = drivers.world?.world;
    // This run measures how long one boom takes to rise, and has an order and a passage of its own.
    expect(await started.command({ id: 'new-order', lane: 'exit', target: 'hold', issuer: 'web:guard', reason: 'test' })).toMatchObject({ outcome: 'done' });
    world?.arrive('entry', { kind: 'car', tag: 'stranger', intention: { kind: 'drive' } });
    await until(() => started.laneView('entry').passage !== null, { timeoutMs: 15_000, what: 'a passage of this run' });
    const passage = started.laneView('entry').passage?.id;
    const booms = (): readonly unknown[] => [started.laneView('exit').boom, started.laneView('entry').boom];
    expect(booms()).toEqual(['open', 'closed']);

    card.opens();
    const of = (types: readonly EventType[]): Promise<readonly StoredEvent[]> => journal.events({ types, limit: 50 });
    await until(async () => (await of(['passage.ended'])).length === 2 && (await of(['command.failed'])).length === 1, { timeoutMs: 15_000, what: 'what the last run left open' });
    await until(async () => JSON.stringify((await started.status())['uplink']).includes('"connection":"online"'), { timeoutMs: 15_000, what: 'the uplink' });
    await until(async () => (await journal.recall('lane-run-times/exit'))?.['openMs'] !== 1_111, { timeoutMs: 15_000, what: 'the run times' });

    expect((await of(['passage.ended'])).map(({ passage: id, payload }) => [id, payload['end']])).toEqual([['old-1', 'entered'], ['old-2', 'unfinished']]);
    expect(await of(['command.failed'])).toMatchObject([{ lane: 'entry', payload: { id: 'old-order', code: 'COMMAND_INTERRUPTED', issuer: 'platform:alice' } }]);
    expect(await of(['command.done'])).toMatchObject([{ payload: { id: 'new-order' } }]);
    expect((await journal.recall('lane-run-times/exit'))?.['closeMs']).toBe(1_222);
    expect([started.laneView('entry').passage?.id, ...booms()]).toEqual([passage, 'open', 'closed']);
    expect((await of(['boom.opening', 'boom.closing'])).map(({ type }) => type)).toEqual(['boom.opening']);
  });
});
