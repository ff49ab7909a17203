import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { configSchema } from '../../src/config/index.js';
import { Gate } from '../../src/daemon/index.js';
import { SimDevice } from '../../src/sim/index.js';
import { BoardOnBus } from '../support/relay-board.js';
import { TerminalProgram } from '../support/terminal.js';
import { until } from '../support/until.js';
import { CliProcess, runCli } from './run-cli.js';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Site {
  readonly gate: Gate;
  readonly config: string;
  readonly data: string;
}

/** A gate in this process, with what the technician's commands need and no camera. */
async function startGate(devices: string, lane: string): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'laurel-technician-'));
  const data = join(folder, 'data');
  const text = `site: {id: laurel, name: 月桂社区}\ngate: {id: east, name: East gate, dataDirectory: ${data}}\n${devices}\nlanes:\n${lane}\nweb: {port: 0}\n`;
  const config = join(folder, 'gate.yaml');
  await writeFile(config, text);
  const gate = new Gate({ config: configSchema.parse(parse(text)), secrets: { cameraPasswords: new Map(), uplink: {} }, clock: systemClock, log: silentLog, version: '0', random: Math.random, printCode: () => undefined });
  await gate.start();
  closers.push(async () => {
    await gate.stop('test');
    await rm(folder, { recursive: true, force: true });
  });
  return { gate, config, data };
}

async function boardSite(): Promise<Site & { readonly board: BoardOnBus }> {
  const board = new BoardOnBus();
  await board.start();
  closers.push(() => board.stop());
  const devices = `devices:\n  - {id: relays, driver: modbus, path: ${board.path}, units: [{unit: 1, profile: waveshare-relay}]}`;
  const lane = `  # measured by hand
  - id: entry
    name: In
    direction: entry
    barrier:
      closing: gateway-closes   # by this box
      open: {device: relays, unit: 1, line: 0}
      close: {device: relays, unit: 1, line: 1}
      openTimeMs: 600
      closeTimeMs: 600
    inputs:
      approach: {device: relays, unit: 1, line: 0}
      closing: {device: relays, unit: 1, line: 1}
      button: {device: relays, unit: 1, line: 2}`;
  return { ...(await startGate(devices, lane)), board };
}

function terminal(args: readonly string[]): TerminalProgram {
  const program = TerminalProgram.gatectl(args);
  closers.push(async () => {
    if (program.child.exitCode === null) program.child.kill('SIGKILL');
    await program.ended;
  });
  return program;
}

const tableSchema = z.object({ devices: z.array(z.object({ id: z.string(), lines: z.array(z.object({ id: z.string(), state: z.string(), raw: z.string().nullable(), roles: z.array(z.object({ lane: z.string(), name: z.string() })) })) })) });

describe('gatectl devices', () => {
  it('shows every line with its role, raw value and meaning, and every change as it comes', async () => {
    const { board, config, data } = await boardSite();
    board.inputs[1] = true;
    await board.lookedAt();
    const once = await runCli(['devices', '--data', data]);
    expect(once.status).toBe(0);
    expect(once.out).toContain('relays (modbus): working');
    expect(once.out).toMatch(/unit 1 1 +entry: closing loop +input +1 +occupied/u);
    expect(once.out).toMatch(/unit 1 0 +entry: OPEN contact +output +0 +released/u);
    const json = await runCli(['devices', '--json', '--data', data]);
    expect(tableSchema.parse(JSON.parse(json.out)).devices[0]?.lines.find(({ roles }) => roles[0]?.name === 'closing')).toMatchObject({ state: 'on', raw: '1' });

    const watching = new CliProcess(['devices', '--watch', '--json', '--data', data]);
    await until(() => watching.out.includes('"kind":"table"'), { timeoutMs: 15_000, what: 'the table' });
    board.inputs[2] = true;
    await until(() => /"kind":"line".*"name":"button".*"state":"on"|"state":"on".*"name":"button"/u.test(watching.out), { what: 'the button' });
    watching.child.kill('SIGINT');
    expect((await watching.ended).status).toBe(0);

    const busy = await runCli(['devices', '--offline', '--config', config]);
    expect(busy.status).toBe(1);
    expect(busy.err).toContain('CONTROL_BUSY');
    expect((await runCli(['devices', '--device', 'nothing', '--data', data])).err).toContain('this gate has relays');
  }, 60_000);

  it('redraws live on a terminal, marks what changed, and gives the terminal back', async () => {
    const { board, data } = await boardSite();
    const live = terminal(['devices', '--watch', '--data', data]);
    await live.sees('q or Ctrl+C ends');
    board.inputs[0] = true;
    await live.sees(/\* +unit 1 0 +entry: approach loop +input +1 +occupied/u);
    live.type('q');
    expect(await live.ended).toBe(0);
    expect(live.raw).toContain('\u001b[?1049l');
  }, 60_000);

  it('shows the raw bytes of a bus as they go, of a running gate and without one', async () => {
    const { board, config, data, gate } = await boardSite();
    // Modbus: inputs of unit 1 by function 02 and what answers it; the third input is the third bit.
    const asked = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} > 01 02 [0-9a-f]{2} [0-9a-f]{2} 00 [0-9a-f]{2}( [0-9a-f]{2}){2}$/mu;
    const answered = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} < 01 02 01 04( [0-9a-f]{2}){2}$/mu;
    board.inputs[2] = true;
    const listening = new CliProcess(['devices', '--traffic', 'relays', '--data', data], { TZ: 'UTC' });
    await until(() => asked.test(listening.out) && answered.test(listening.out), { timeoutMs: 15_000, what: 'a request and its answer' });
    listening.child.kill('SIGINT');
    expect((await listening.ended).status).toBe(0);
    expect((await runCli(['devices', '--traffic', 'nothing', '--data', data])).err).toMatch(/relays|no device/u);

    await gate.stop('test');
    const offline = new CliProcess(['devices', '--traffic', 'relays', '--offline', '--json', '--config', config]);
    await until(() => /"direction":"sent","hex":"0102/u.test(offline.out) && /"direction":"received","hex":"01020104/u.test(offline.out), { timeoutMs: 15_000, what: 'traffic without a gate' });
    offline.child.kill('SIGINT');
    expect((await offline.ended).status).toBe(0);
  }, 60_000);

  it('reads without a gate and drives nothing', async () => {
    const { board, config, gate } = await boardSite();
    await gate.stop('test');
    const before = board.relays.length;
    board.inputs[1] = true;
    const offline = await runCli(['devices', '--offline', '--config', config]);
    expect(offline.status).toBe(0);
    expect(offline.out).toMatch(/entry: closing loop +input +1 +occupied/u);
    expect(offline.out).toMatch(/entry: OPEN contact +output +0 +released/u);
    expect(board.relays).toHaveLength(before);
  }, 60_000);
});

describe('gatectl test', () => {
  it('guides through a loop and puts the verdict on record', async () => {
    const { board, data, gate } = await boardSite();
    const good = terminal(['test', 'loop', 'entry', 'closing', '--stand', '1', '--data', data]);
    await good.sees('Drive a car onto the closing loop');
    board.inputs[1] = true;
    await good.sees('Stand still');
    await good.sees('Drive off');
    board.inputs[1] = false;
    await good.sees('PASSED');
    expect(await good.ended).toBe(0);

    const bad = terminal(['test', 'loop', 'entry', 'closing', '--stand', '2', '--data', data]);
    await bad.sees('Drive a car onto the closing loop');
    board.inputs[1] = true;
    await bad.sees('Stand still');
    board.inputs[1] = false;
    await bad.sees('closing loop: clear');
    board.inputs[1] = true;
    await bad.sees('Drive off');
    board.inputs[1] = false;
    await bad.sees('FAILED');
    await bad.sees('let go while the car stood still');
    expect(await bad.ended).toBe(1);
    const events = await gate.events({ limit: 50, newestFirst: true });
    expect(events.filter(({ type }) => type === 'device.tested').map(({ payload }) => payload)).toMatchObject([
      { test: 'loop.closing', passed: false, result: { findings: ['drops-out'] } },
      { test: 'loop.closing', passed: true },
    ]);
  }, 60_000);

  it('counts presses of a button', async () => {
    const { board, data } = await boardSite();
    const pressing = terminal(['test', 'input', 'entry', 'button', '--data', data]);
    await pressing.sees('Press and release the guard button');
    for (let press = 0; press < 3; press += 1) {
      board.inputs[2] = true;
      await pressing.sees('guard button: pressed');
      board.inputs[2] = false;
      await pressing.sees('guard button: released');
    }
    await pressing.sees('PASSED');
    expect(await pressing.ended).toBe(0);
  }, 60_000);

  it('moves no boom over an occupied loop, and does over an empty one', async () => {
    const { board, data } = await boardSite();
    board.inputs[1] = true;
    await board.lookedAt();
    const pulses = board.pulses(0);
    const refused = await runCli(['test', 'relay', 'entry', 'open', '--yes', '--data', data]);
    expect(refused.status).toBe(1);
    expect(refused.err).toContain('the closing loop is occupied');
    expect(refused.err).toContain('--hold');
    expect(board.pulses(0)).toBe(pulses);
    board.inputs[1] = false;
    await board.lookedAt();
    const opened = await runCli(['test', 'relay', 'entry', 'open', '--yes', '--json', '--data', data]);
    expect([opened.err, JSON.parse(opened.out)]).toEqual(['', expect.objectContaining({ lane: 'entry', test: 'relay.open', passed: true, findings: [] })]);
    expect(board.pulses(0)).toBe(pulses + 1);
    expect((await runCli(['test', 'relay', 'entry', 'greenLight', '--yes', '--data', data])).err).toContain('has no green lamp');
  }, 60_000);

  it('times the boom and writes the times, comments kept', async () => {
    const { data, config } = await boardSite();
    const timing = terminal(['test', 'boom', 'entry', '--write', '--config', config, '--data', data]);
    for (let round = 1; round <= 3; round += 1) {
      await timing.answer('Ready?', '');
      await timing.sees('fully up.');
      await new Promise((resolve) => setTimeout(resolve, 1_300));
      timing.type('\r');
      await timing.answer('fully down.', '');
    }
    await timing.sees('Written to');
    expect(await timing.ended).toBe(0);
    const text = await readFile(config, 'utf8');
    expect(text).toContain('# measured by hand');
    expect(text).toContain('# by this box');
    expect(Number(/openTimeMs: (\d+)/u.exec(text)?.[1])).toBeGreaterThanOrEqual(1_300);
  }, 90_000);
});

describe('hold-to-run', () => {
  it('a dropped session raises the boom that it was lowering', async () => {
    const line = (name: string): string => `{device: world, line: entry.${name}}`;
    const { gate, data } = await startGate(
      'devices:\n  - {id: world, driver: sim, scenario: idle}',
      `  - {id: entry, name: In, direction: entry, barrier: {closing: gateway-closes, open: ${line('open')}, close: ${line('close')}}, inputs: {approach: ${line('approach')}, closing: ${line('closing')}, openLimit: ${line('openLimit')}, closedLimit: ${line('closedLimit')}}}`,
    );
    const world = gate.drivers.world?.world;
    const device = gate.drivers.devices.get('world');
    if (world === undefined || !(device instanceof SimDevice)) throw new Error('no world');
    const boom = world.lane('entry').boom;
    await gate.command({ id: 'c1', lane: 'entry', target: 'open', issuer: 'test', reason: 'test' });
    device.inject({ kind: 'fault', line: 'entry.closing' });
    expect((await runCli(['test', 'relay', 'entry', 'close', '--yes', '--data', data])).err).toContain('closing loop');
    const holding = terminal(['test', 'relay', 'entry', 'close', '--hold', '--data', data]);
    await holding.sees('HOLD the space bar');
    // One press is no holding.
    holding.type(' ');
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(gate.laneView('entry').attention).not.toContain('operator-holds');
    const keys = setInterval(() => holding.type(' '), 40);
    await holding.sees('moving');
    await until(() => boom.position < 0.7, { timeoutMs: 10_000, what: 'the boom to come down' });
    expect(gate.laneView('entry').attention).toContain('operator-holds');
    clearInterval(keys);
    holding.hangUp();
    const lowest = boom.position;
    await until(() => boom.position > 0.99, { timeoutMs: 10_000, what: 'the boom to rise' });
    expect(lowest).toBeGreaterThan(0);
    expect(gate.laneView('entry').attention).not.toContain('operator-holds');
    const events = await gate.events({ limit: 50, newestFirst: true });
    expect(JSON.stringify(events)).toContain('close held by console:');
  }, 60_000);
});
