import { existsSync } from 'node:fs';
import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { SqliteJournal } from '../../src/journal/index.js';
import { WebServer } from '../../src/web/index.js';
import { until } from '../support/until.js';
import { FakeGate, laneView } from '../web/fake-gate.js';
import { CliProcess, runCli } from './run-cli.js';

let directory: string;
let gate: FakeGate;
let server: WebServer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'laurel-cli-'));
  gate = new FakeGate();
  server = new WebServer({ host: '127.0.0.1', port: 0, gate, clock: systemClock, log: silentLog, dataDirectory: directory, printCode: () => undefined });
  await server.start();
});

afterAll(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(() => {
  gate.orders.length = 0;
  gate.stored.length = 0;
  gate.lanes.clear();
  for (const lane of ['entry', 'exit']) gate.lanes.set(lane, laneView(lane));
});

describe('gatectl without a gate', () => {
  it('explains itself with examples', async () => {
    const { status, out } = await runCli(['--help']);
    expect(status).toBe(0);
    expect(out).toContain('gatectl open entry --reason');
    expect(out).toContain('Exit status');
  });

  it('suggests the command that was meant', async () => {
    const { status, err } = await runCli(['stauts']);
    expect(status).toBe(2);
    expect(err).toContain('Did you mean status?');
  });

  it('says that no gate runs and what to do', async () => {
    const { status, out, err } = await runCli(['status', '--data', '/nowhere/laurel']);
    expect(status).toBe(3);
    expect(out).toBe('');
    expect(err).toContain('CONTROL_UNREACHABLE');
    expect(err).toContain('systemctl start laurel-gate');
    expect(err).not.toContain('    at ');
  });

  it('says how to name a gate where no configuration is', async () => {
    const { status, err } = await runCli(['status'], { LAUREL_GATE_CONFIG: '/nowhere/gate.yaml' });
    expect(status).toBe(3);
    expect(err).toContain('--data DIR');
  });
});

describe('gatectl with a running gate', () => {
  const data = (): string[] => ['--data', directory];

  it('shows lanes, journal and what needs attention, in words', async () => {
    gate.record('gate.started', null, null, {});
    gate.show('entry', {
      boom: 'open',
      attention: ['input-fault:closing'],
      findings: [{ code: 'beam-stuck-off', sensors: ['beam'], facts: { vehicles: 4 }, sinceMs: 0 }],
      passage: { id: 'p', phase: 'admitted', plate: { text: '京QM86H8', confidence: 0.99, colour: 'blue', rows: 1 }, decision: { outcome: 'admit', rule: 'resident' } },
    });
    const { status, out } = await runCli(['status', ...data()]);
    expect(status).toBe(0);
    expect(out).toMatch(/entry +东门入口 +Entry +Open +京QM86H8 +May pass \(Resident\)/u);
    expect(out).toContain('! 东门入口: Closing loop cannot be read; it counts as occupied');
    expect(out).toContain('? 东门入口: Light beam: not interrupted by 4 vehicles in a row');
    expect(out).toContain('What to do: Take care: nobody under the boom is seen by it.');
    expect(out).toContain('1 events, 1 not acknowledged yet');
  });

  it('speaks Chinese on a Chinese terminal', async () => {
    const { out } = await runCli(['status', ...data()], { LC_ALL: 'zh_CN.UTF-8' });
    expect(out).toContain('已落杆');
  });

  it('gives scripts the whole status as JSON', async () => {
    const { out } = await runCli(['status', '--json', ...data()]);
    expect(z.object({ lanes: z.array(z.object({ lane: z.string() })), devices: z.array(z.unknown()) }).parse(JSON.parse(out)).lanes.map((lane) => lane.lane)).toEqual(['entry', 'exit']);
  });

  it('opens with a reason, on record under the console user', async () => {
    const { status, out } = await runCli(['open', 'entry', '--reason', 'delivery', ...data()]);
    expect(out).toContain('entry is open');
    expect(status).toBe(0);
    expect(gate.orders).toEqual([expect.objectContaining({ lane: 'entry', target: 'open', reason: 'delivery', issuer: `console:${userInfo().username}` })]);
  });

  it('a refusal is said in words and by the exit status', async () => {
    gate.show('entry', { boom: 'open', sensors: { closing: 'on' } });
    const refused = await runCli(['close', 'entry', ...data()]);
    expect(refused.status).toBe(1);
    expect(refused.err).toContain('closing loop is occupied');
    const unknown = await runCli(['open', 'north', ...data()]);
    expect(unknown.status).toBe(1);
    expect(unknown.err).toContain('entry, exit');
  });

  it('shows past events oldest first and follows what comes, each once and in order', async () => {
    for (let index = 0; index < 5; index += 1) gate.record('passage.started', 'entry', `p-${index}`, {});
    const past = await runCli(['events', '--limit', '3', ...data()]);
    expect(past.out.trim().split('\n').map((line) => /#(\d+)/u.exec(line)?.[1])).toEqual(['3', '4', '5']);
    expect(past.out).toContain('Vehicle arrived');

    const following = new CliProcess(['events', '--follow', '--limit', '2', '--json', ...data()]);
    await until(() => following.out.includes('"seq":5'), { timeoutMs: 15_000, what: 'the past events' });
    gate.record('passage.ended', 'entry', 'p-4', { end: 'entered' });
    gate.record('passage.started', 'exit', 'p-5', {});
    await until(() => following.out.includes('"seq":7'), { what: 'the new events' });
    following.child.kill('SIGINT');
    const { status, out } = await following.ended;
    expect(status).toBe(0);
    const seqs = out.trim().split('\n').map((line) => z.object({ seq: z.number() }).parse(JSON.parse(line)).seq);
    expect(seqs).toEqual([4, 5, 6, 7]);
  });

  it('follows one lane only when asked', async () => {
    const following = new CliProcess(['events', '--follow', '--lane', 'exit', ...data()]);
    await until(() => server.liveClients > 0, { timeoutMs: 15_000, what: 'the follower' });
    gate.record('passage.started', 'entry', 'p-1', {});
    gate.record('passage.started', 'exit', 'p-2', {});
    await until(() => following.out.includes('#2'), { what: 'the event of the exit' });
    following.child.kill('SIGTERM');
    expect((await following.ended).out).not.toContain('#1');
  });

  it('prints a sign-in code that the page takes', async () => {
    const { out, status } = await runCli(['sign-in-code', '--role', 'guard', '--json', ...data()]);
    expect(status).toBe(0);
    const issued = z.strictObject({ code: z.string(), role: z.literal('guard') }).parse(JSON.parse(out));
    expect(issued.code).toMatch(/^[2-9A-Z]{4}-[2-9A-Z]{4}$/u);
    expect((await runCli(['sign-in-code', '--role', 'king', ...data()])).err).toContain('guard, technician');
  });

  it('asks the running gate to verify its journal', async () => {
    gate.verifyJournal = () => Promise.resolve({ checked: 12, brokenAt: null });
    const good = await runCli(['journal', 'verify', ...data()]);
    expect(good).toMatchObject({ status: 0, out: 'The chain holds over 12 events.\n' });
    gate.verifyJournal = () => Promise.resolve({ checked: 12, brokenAt: 13 });
    const broken = await runCli(['journal', 'verify', '--json', ...data()]);
    expect(broken.status).toBe(1);
    expect(JSON.parse(broken.out)).toEqual({ ok: false, checked: 12, brokenAt: 13 });
  });

  it('says so when the gate stops while it is followed', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'laurel-cli-'));
    const other = new WebServer({ host: '127.0.0.1', port: 0, gate, clock: systemClock, log: silentLog, dataDirectory: elsewhere, printCode: () => undefined });
    await other.start();
    const following = new CliProcess(['events', '--follow', '--data', elsewhere]);
    await until(() => other.liveClients === 1, { timeoutMs: 15_000, what: 'the follower' });
    await other.stop();
    const { status, err } = await following.ended;
    expect(status).toBe(3);
    expect(err).toContain('restarting');
    await rm(elsewhere, { recursive: true, force: true });
  });
});

describe('the journal of a stopped gate', () => {
  it('is verified without being changed, and a forged row is found', async () => {
    const data = await mkdtemp(join(tmpdir(), 'laurel-cli-'));
    const folder = join(data, 'journal');
    const journal = new SqliteJournal({ directory: folder, gateId: 'g', clock: systemClock, log: silentLog, retention: { eventsDays: 365, photographsDays: 30, photographsMB: 100 }, ballastMB: 0 });
    await journal.start();
    for (let index = 0; index < 20; index += 1) await journal.append({ type: 'passage.started', lane: 'entry', payload: { secret: `needle-${index}` } });
    await journal.stop();
    const before = await readdir(folder);
    const good = await runCli(['journal', 'verify', '--data', data, '--json']);
    expect(JSON.parse(good.out)).toEqual({ ok: true, checked: 20, brokenAt: null });
    expect(await readdir(folder)).toEqual(before);

    // Somebody edits the file to hide a passage.
    const file = await open(join(folder, 'journal.db'), 'r+');
    const bytes = await file.readFile();
    const place = bytes.indexOf('needle-7"');
    expect(place).toBeGreaterThan(0);
    await file.write('noodle-7', place);
    await file.close();
    const forged = await runCli(['journal', 'verify', '--data', data]);
    expect(forged.status).toBe(1);
    expect(forged.out).toContain('breaks at event 8');
    await rm(data, { recursive: true, force: true });
  });

  it('says where it looked when there is none', async () => {
    const { status, err } = await runCli(['journal', 'verify', '--data', directory + '-none']);
    expect(status).toBe(1);
    expect(err).toContain(`${directory}-none/journal`);
  });
});

describe('configuration', () => {
  it('names every fault with its path, and exits with 1', async () => {
    const file = join(directory, 'faulty.yaml');
    await writeFile(file, 'version: 1\nsite: { id: Laurel, name: x }\ngates: 1\n');
    const { status, out } = await runCli(['config', 'check', file]);
    expect(status).toBe(1);
    expect(out).toContain('site.id');
    expect(out).toContain('gates');
    const json = await runCli(['config', 'check', '--json', file]);
    expect(z.object({ ok: z.literal(false), faults: z.array(z.object({ path: z.string() })) }).parse(JSON.parse(json.out)).faults.length).toBeGreaterThan(1);
  });

  it('a missing file is one line of advice', async () => {
    const { status, err } = await runCli(['config', 'check', '/nowhere/gate.yaml']);
    expect(status).toBe(1);
    expect(err).toContain('no such file');
  });

  it('explains the keys one asks for', async () => {
    const { out, status } = await runCli(['config', 'explain', 'pulseMs']);
    expect(status).toBe(0);
    expect(out).toContain('lanes[].barrier.pulseMs');
    expect((await runCli(['config', 'explain', 'nonsense'])).status).toBe(2);
  });
});

const shipped = existsSync(new URL('../../models/manifest.json', import.meta.url));
if (!shipped) console.log('cli.test.ts: recognition skipped, no models/manifest.json');

describe.skipIf(!shipped)('recognition', () => {
  it('a picture without a plate is no failure; an unreadable file is, at the end', async () => {
    const picture = join(directory, 'wall.jpg');
    await sharp({ create: { width: 640, height: 360, channels: 3, background: '#777' } }).jpeg().toFile(picture);
    const good = await runCli(['recognize', '--json', picture]);
    expect(good.status).toBe(0);
    const ms = z.strictObject({ decode: z.number(), detect: z.number(), read: z.number(), total: z.number() });
    const line = z.strictObject({ file: z.string(), plates: z.array(z.unknown()), ms }).parse(JSON.parse(good.out));
    expect(line).toMatchObject({ file: picture, plates: [] });
    const broken = join(directory, 'broken.jpg');
    await writeFile(broken, 'no picture');
    const mixed = await runCli(['recognize', '--json', '--annotate', join(directory, 'drawn'), broken, picture]);
    expect(mixed.status).toBe(1);
    const lines = mixed.out.trim().split('\n').map((line) => z.record(z.string(), z.unknown()).parse(JSON.parse(line)));
    expect(lines.map((line) => [line['file'], 'error' in line])).toEqual([
      [broken, true],
      [picture, false],
    ]);
    expect(existsSync(join(directory, 'drawn', 'wall.jpg'))).toBe(true);
  });
});
