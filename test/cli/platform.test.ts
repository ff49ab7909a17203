import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'mqtt';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { ConfigDesk, ListDesk, type ConfigReport, type ConfigurationPort } from '../../src/uplink/index.js';
import { openBox } from '../lists/support.js';
import { atEnd, drained, freshDirectory, online, passage, settings, startGate, startMosquitto, until, type Gate } from '../uplink/support.js';
import { CliProcess, type Finished } from './run-cli.js';
import { RunningHere, runHere } from './run-here.js';

const shownSchema = z.array(z.looseObject({ site: z.string(), gate: z.string(), seenMs: z.number().nullable(), status: z.looseObject({ state: z.string() }).nullable(), ledger: z.looseObject({ events: z.number(), through: z.number() }) }));

function platformProcess(...args: string[]): CliProcess {
  const started = new CliProcess(['platform', 'run', ...args]);
  atEnd(async () => {
    started.child.kill('SIGKILL');
    await started.ended;
  });
  return started;
}

/** Where nothing hangs on its being a process: that takes seconds to start. */
function platformHere(...args: string[]): RunningHere {
  const running = new RunningHere(['platform', 'run', ...args]);
  atEnd(async () => {
    await running.end('SIGTERM');
  });
  return running;
}

const write = (gate: Gate, from: number, count: number): Promise<unknown> => Promise.all(Array.from({ length: count }, (_, at) => gate.journal.append(passage(from + at))));

describe('gatectl platform run and show', () => {
  it('takes a gate in, and after a kill goes on where it was: what it acknowledged it has', { timeout: 180_000 }, async () => {
    const broker = await startMosquitto();
    const ledger = join(freshDirectory(), 'ledger.db');
    const show = async (): Promise<z.output<typeof shownSchema>> => shownSchema.parse(JSON.parse((await runHere(['platform', 'show', '--ledger', ledger, '--json'])).out));
    const first = platformProcess('--broker', broker.url, '--ledger', ledger, '--json');
    const gate = await startGate(settings(broker.url), { timing: { backoffMs: 30, backoffMostMs: 200, stableMs: 500, resendMs: 300, connectTimeoutMs: 2_000 } });
    await online(gate);
    await write(gate, 0, 120);
    await until(async () => (await gate.journal.outbox()).acknowledged >= 40, { timeoutMs: 60_000, what: 'the first acknowledgements' });
    first.child.kill('SIGKILL');
    await first.ended;
    const { acknowledged } = await gate.journal.outbox();
    const [left] = await show();
    expect(left?.ledger.through).toBeGreaterThanOrEqual(acknowledged);

    await write(gate, 120, 30);
    const second = platformProcess('--broker', broker.url, '--ledger', ledger);
    await drained(gate, 60_000);
    await gate.uplink.stop();
    await until(() => second.out.includes('offline (stopped)'), { what: 'the death on its screen' });
    second.child.kill('SIGTERM');
    expect(await second.ended).toMatchObject({ status: 0 });
    expect(second.out).toContain('laurel/east');
    const [shown] = await show();
    expect(shown).toMatchObject({ site: 'laurel', gate: 'east', status: { state: 'offline', reason: 'stopped' }, ledger: { events: 150, through: 150, missing: [], conflicting: [], reordered: [], chainBroken: [], earlier: [] } });
    expect(shown?.seenMs).toBeGreaterThan(0);
    const one = await runHere(['platform', 'show', '--ledger', ledger, '--gate', 'laurel/east']);
    expect(one.out).toMatch(/laurel\/east +offline \(stopped\) .* 150 +150/u);
  });

  it('says in words what is wrong: doubles, gaps, and another event under a number', { timeout: 150_000 }, async () => {
    const broker = await startMosquitto();
    const ledger = join(freshDirectory(), 'ledger.db');
    const platform = platformHere('--broker', broker.url, '--ledger', ledger);
    await until(() => platform.said.out.includes('Listening'), { what: 'the platform' });
    const line = connect(broker.url);
    atEnd(() => line.endAsync(true).then(() => undefined));
    const event = (seq: number, plate: string): object => ({ id: `b-1-${seq}`, epoch: 1, seq, type: 'passage.read', lane: 'entry', passage: null, wallMs: 1, monoMs: 1, clockTrusted: true, payload: { plate }, previousHash: '0'.repeat(64), hash: plate === 'A' ? 'a'.repeat(64) : 'b'.repeat(64) });
    const say = (...events: object[]): Promise<unknown> => line.publishAsync('laurel/v1/laurel/b/event', JSON.stringify({ historical: true, lost: [], events }), { qos: 1 });
    await say(event(1, 'A'));
    await say(event(1, 'A'));
    await say(event(1, 'B'));
    await say(event(4, 'A'));
    await line.publishAsync('laurel/v1/laurel/b/event', 'no JSON', { qos: 1 });
    await until(() => platform.said.err.includes('does not fit the contract'), { what: 'the malformed message' });
    expect(platform.said.out).toMatch(/#1 {2}came again/u);
    expect(platform.said.out).toMatch(/#1 {2}CONFLICT/u);
    expect(platform.said.out).toMatch(/#2 to #3 {2}not here yet/u);
    expect((await platform.end('SIGINT')).status).toBe(0);
    const one = await runHere(['platform', 'show', '--ledger', ledger, '--gate', 'laurel/b']);
    expect(one.out).toContain('Missing, not declared lost: 2 to 3');
    expect(one.out).toContain('Two events under one number: 1');
  });

  it('begins after the numbers of another platform where it is told to, and says so where it is not', { timeout: 150_000 }, async () => {
    const broker = await startMosquitto();
    const directory = freshDirectory();
    const gate = await startGate(settings('mqtt://127.0.0.1:1'), { directory });
    await write(gate, 0, 50);
    await gate.journal.acknowledge(30);
    await gate.uplink.stop();
    await gate.journal.stop();
    const again = await startGate(settings(broker.url), { directory, timing: { backoffMs: 30, backoffMostMs: 200, stableMs: 500, resendMs: 300, connectTimeoutMs: 2_000 } });
    const naive = platformHere('--broker', broker.url, '--ledger', join(directory, 'naive.db'));
    await until(() => naive.said.out.includes('--after laurel/east=30'), { what: 'the advice' });
    expect((await naive.end('SIGTERM')).status).toBe(0);
    const told = platformHere('--broker', broker.url, '--ledger', join(directory, 'told.db'), '--after', 'laurel/east=30');
    await drained(again);
    expect((await told.end('SIGTERM')).status).toBe(0);
    const late = await runHere(['platform', 'run', '--broker', broker.url, '--ledger', join(directory, 'told.db'), '--after', 'laurel/east=99']);
    expect([late.status, late.err]).toEqual([1, expect.stringContaining('[LEDGER_UNREADABLE]')]);
  });

  it('says what to do where there is no ledger, no broker, or no gate', async () => {
    const none = await runHere(['platform', 'show', '--ledger', join(freshDirectory(), 'none.db')]);
    expect([none.status, none.err]).toEqual([1, expect.stringContaining('[LEDGER_UNREADABLE]')]);
    const away = await runHere(['platform', 'send', 'laurel/east', 'open', 'entry', '--broker', 'mqtt://127.0.0.1:1']);
    expect([away.status, away.err]).toEqual([1, expect.stringContaining('[BROKER_UNREACHABLE]')]);
    expect((await runHere(['platform', 'send', 'laurel', 'open', 'entry', '--broker', 'mqtt://127.0.0.1:1'])).status).toBe(2);
  });
});

describe('gatectl platform send', () => {
  it('signs a command, prints its replies, and ends as the command did', { timeout: 150_000 }, async () => {
    const broker = await startMosquitto();
    const directory = freshDirectory();
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const key = join(directory, 'command.pem');
    writeFileSync(key, privateKey.export({ format: 'pem', type: 'pkcs8' }));
    const gate = await startGate(settings(broker.url, { commandKeys: [{ id: 'desk', publicKey: publicKey.export({ format: 'pem', type: 'spki' }).toString() }] }), { lanes: ['entry'] });
    await online(gate);
    const send = (...args: string[]): Promise<Finished> => runHere(['platform', 'send', 'laurel/east', ...args, '--broker', broker.url]);
    const done = await send('open', 'entry', '--sign', key, '--sign-as', 'desk', '--reason', 'delivery', '--json');
    expect(done.out.trim().split('\n').map((line) => z.looseObject({ state: z.string() }).parse(JSON.parse(line)).state)).toEqual(['accepted', 'done']);
    expect(done.status).toBe(0);
    expect(gate.commands).toMatchObject([{ lane: 'entry', target: 'open', reason: 'delivery', issuer: 'platform:gatectl' }]);
    const unsigned = await send('open', 'entry');
    expect([unsigned.status, unsigned.out]).toEqual([1, expect.stringContaining('[COMMAND_UNSIGNED]')]);
    expect(await send('toggle', 'entry')).toMatchObject({ status: 2, out: '' });
    expect(gate.commands).toHaveLength(1);
  });

  it('answers the challenge of a gate that does not know the time', async () => {
    const broker = await startMosquitto();
    const gate = await startGate(settings(broker.url), { clockTrusted: () => false });
    await online(gate);
    const sent = await runHere(['platform', 'send', 'laurel/east', 'hold', 'entry', '--broker', broker.url]);
    expect([sent.status, sent.out]).toEqual([0, expect.stringMatching(/COMMAND_CLOCK_UNSET[^]*done/u)]);
    expect(gate.commands).toMatchObject([{ target: 'hold' }]);
  });
});

describe('gatectl platform list', () => {
  it('sends a table whole, then its change, and prints what the gate holds', { timeout: 150_000 }, async () => {
    const broker = await startMosquitto();
    const directory = freshDirectory();
    const box = await openBox(directory);
    const gate = await startGate(settings(broker.url), { desks: [(reply) => new ListDesk({ lists: box.keeper, epoch: 1, clock: systemClock, log: silentLog, reply })] });
    await online(gate);
    const table = join(directory, 'list.csv');
    const rows = ['kind,id,plates,name,spaces,from,until,note,reason', 'household,b3-1201,京QM86H8 京A12345,"Wang, ""Li""",2,,,,', 'blocked,,皖F99999,,,,,,damaged the boom', ...Array.from({ length: 40 }, (_, at) => `household,h${at},,house ${at},1,,,,`)];
    writeFileSync(table, `\uFEFF${rows.join('\r\n')}\r\n`);
    const send = (...args: string[]): Promise<Finished> => runHere(['platform', 'list', 'laurel/east', table, '--ledger', join(directory, 'ledger.db'), '--broker', broker.url, ...args]);
    const whole = await send();
    expect([whole.status, whole.err, whole.out]).toEqual([0, '', expect.stringMatching(/holds version 1 \(sent whole\): 42 entries with 3 plates: 41 households, 0 visitors, 1 blocked/u)]);
    expect(box.decide('京QM86H8')).toMatchObject({ rule: 'resident', note: 'Wang, "Li"' });
    writeFileSync(table, `${[...rows, 'visitor,v1,浙D55555,,,2020-01-01T00:00:00+08:00,2099-01-01T00:00:00+08:00,tea,'].join('\n')}\n`);
    const change = await send();
    expect(change.out).toContain('version 2 (sent as a change): 43 entries');
    expect(box.decide('浙D55555').rule).toBe('visitor-pass');
    writeFileSync(table, 'kind,id,plates,spaces\nhousehold,h1,,many\nblocked,,,\n');
    const bad = await send();
    expect([bad.status, bad.err]).toEqual([1, expect.stringMatching(/row 2: spaces[^]*row 3: plate[^]*\[LIST_INVALID\]/u)]);
  });
});

describe('gatectl platform list --take-edits', () => {
  it('takes what guards have changed into the list, and writes it for the next time before anything is let go of', { timeout: 150_000 }, async () => {
    const broker = await startMosquitto();
    const directory = freshDirectory();
    const box = await openBox(directory);
    const gate = await startGate(settings(broker.url), { desks: [(reply) => new ListDesk({ lists: box.keeper, epoch: 1, clock: systemClock, log: silentLog, reply })] });
    await online(gate);
    const [table, taken] = [join(directory, 'list.csv'), join(directory, 'list.json')];
    writeFileSync(table, 'kind,id,plates,spaces,reason\nhousehold,h1,京A11111,1,\nblocked,,皖F99999,,damaged the boom\n');
    const send = (...args: string[]): Promise<Finished> => runHere(['platform', 'list', 'laurel/east', ...args, '--ledger', join(directory, 'ledger.db'), '--broker', broker.url]);
    expect((await send(table)).status).toBe(0);
    const by = { reason: 'asked for at the gate', by: 'Li', issuer: 'page' };
    await box.keeper.edit({ action: 'remove', subject: 'blocked', plate: '皖F99999', ...by });
    await box.keeper.edit({ action: 'add', subject: 'resident', plate: '京A77777', household: 'h1', ...by });
    const kept = await send(table);
    expect(kept.out).toContain('2 changes made at the gate stand over it');
    const { status, err, out } = await send(table, '--take-edits', taken);
    expect([status, err]).toEqual([0, '']);
    expect(out).toMatch(/1 entries with 2 plates: 1 households, 0 visitors, 0 blocked/u);
    expect(out).not.toContain('stand over it');
    expect(JSON.parse(readFileSync(taken, 'utf8'))).toMatchObject([{ kind: 'household', id: 'h1', plates: ['京A11111', '京A77777'] }]);
    // The next list is the file it wrote.
    expect((await send(taken)).status).toBe(0);
    expect([box.decide('京A77777').rule, box.decide('皖F99999').rule]).toEqual(['resident', expect.not.stringMatching(/blocked/u)]);
    const nowhere = await send(table, '--take-edits', join(directory, 'no', 'such', 'folder.json'));
    expect([nowhere.status, nowhere.err]).toEqual([1, expect.stringMatching(/cannot be written[^]*\[LIST_INVALID\]/u)]);
    expect(box.decide('京A77777').rule).toBe('resident');
  });
});

describe('gatectl platform configure', () => {
  it('follows a configuration through its trial, and fails where it is refused', { timeout: 150_000 }, async () => {
    const broker = await startMosquitto();
    const directory = freshDirectory();
    const listeners = new Set<() => void>();
    const digest = 'd'.repeat(64);
    type State = Omit<ConfigReport, 'epoch' | 'atMs'>;
    let state: State = { active: { source: 'managed', version: 6, id: 'c6', digest, effectiveDigest: digest }, trial: null, highest: 6, outcome: null, reported: {} };
    const tell = (change: Partial<State>): void => {
      state = { ...state, ...change };
      for (const listener of listeners) listener();
    };
    const port: ConfigurationPort = {
      report: () => state,
      unreadable: () => undefined,
      onChange: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      propose: ({ version, id, issuer, config }) => {
        const about = { version, id, issuer, atMs: 1 };
        if ('lanes' in config) return Promise.resolve({ ...about, outcome: 'refused', code: 'CONFIG_NOT_ALLOWED', reasons: [], faults: [{ path: 'lanes', code: 'CONFIG_NOT_ALLOWED', text: 'wiring' }] });
        for (const phase of ['staged', 'trying'] as const) tell({ trial: { version, id, state: phase } });
        tell({ trial: null, highest: version, outcome: { ...about, outcome: 'applied', code: null, reasons: [], faults: [] } });
        return Promise.resolve(state.outcome);
      },
    };
    const gate = await startGate(settings(broker.url), { desks: [(reply) => new ConfigDesk({ epoch: 1, clock: systemClock, log: silentLog, port, reply })] });
    await online(gate);
    const file = join(directory, 'spaces.yaml');
    const configure = (text: string): Promise<Finished> => {
      writeFileSync(file, text);
      return runHere(['platform', 'configure', 'laurel/east', file, '--broker', broker.url]);
    };
    const applied = await configure('access:\n  spaces: 7\n');
    expect([applied.status, applied.err]).toEqual([0, '']);
    expect(applied.out).toMatch(/version 7 is right[^]*version 7 is in force on trial[^]*version 7 applied/u);
    const refused = await configure('lanes: []\n');
    expect([refused.status, refused.out]).toEqual([1, expect.stringMatching(/version 8 refused \[CONFIG_NOT_ALLOWED\]\n {2}lanes: wiring/u)]);
    expect((await configure('access: [')).err).toContain('CONFIG_UNREADABLE');
  });
});
