import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { askSupervisor, Supervisor, SupervisorClient, type TakeOver } from '../../src/supervisor/index.js';
import { ModbusTestBus } from '../support/modbus-bus.js';
import { until } from '../support/until.js';

let directory: string;
let socketPath: string;
let supervisor: Supervisor;
let bus: ModbusTestBus;
const sockets: Socket[] = [];
const children: ChildProcess[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'laurel-supervisor-'));
  socketPath = join(directory, 's.sock');
  supervisor = new Supervisor({ socketPath, clock: systemClock, log: silentLog });
  await supervisor.start();
  bus = new ModbusTestBus();
  bus.addUnit(1, { coils: 8, timer: true });
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await supervisor.stop();
  await bus.close();
  rmSync(directory, { recursive: true, force: true });
});

const line = (index: number): object => ({ device: 'bus', unit: 1, line: index });

function hello(pid: number, will: string, more: object = {}): object {
  return {
    kind: 'hello',
    version: 1,
    pid,
    devices: [{ id: 'bus', driver: 'modbus', path: bus.path, units: [{ unit: 1, profile: 'waveshare-relay' }] }],
    lanes: [{ lane: 'entry', outputs: { open: line(0), close: line(1), others: [] }, holds: will === 'hold', pulseMs: 300, deadTimeMs: 200, last: { will, watch: 'calm', closeOffMs: null } }],
    silenceMs: { lowering: 300, urgent: 400, idle: 60_000 },
    ...more,
  };
}

/** A connection that speaks line by line. */
class Talker {
  readonly socket = createConnection(socketPath);
  text = '';

  constructor() {
    sockets.push(this.socket);
    this.socket.setEncoding('utf8').on('data', (part: string) => (this.text += part));
    this.socket.on('error', () => undefined);
  }

  say(message: object | string): this {
    this.socket.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
    return this;
  }

  hears(what: string): Promise<true> {
    return until(() => this.text.includes(what) || undefined, { what });
  }
}

/** A process that lives and says nothing, like a gate whose event loop hangs. */
async function sleeper(): Promise<ChildProcess> {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  children.push(child);
  await once(child, 'spawn');
  return child;
}

const pidOf = (child: ChildProcess): number => child.pid ?? 0;
/** How a relay moved, from released; orders that change nothing are left out. */
function levels(coil: number): readonly number[] {
  const told = bus.events.filter((event) => event.unit === 1 && event.coil === coil).map(({ level }) => level);
  return told.filter((level, at) => level !== (told[at - 1] ?? 0));
}

describe('the supervisor', () => {
  it('can be spoken to by its own user alone', () => {
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
  });

  it('rejects what it does not understand with a code, and whoever skips the hello', async () => {
    await new Talker().say('no json').hears('MESSAGE_INVALID');
    await new Talker().say({ kind: 'beat' }).hears('COMMAND_REFUSED');
    await new Talker().say(hello(process.pid, 'jump')).hears('lanes.0.last.will');
    expect(supervisor.state().state).toBe('idle');
  });

  it('watches one gate: a second one is sent away while the first lives', async () => {
    const [first, second] = [await sleeper(), await sleeper()];
    await new Talker().say(hello(pidOf(first), 'release')).hears('welcome');
    await new Talker().say(hello(pidOf(second), 'release')).hears('CONTROL_BUSY');
    expect(supervisor.state()).toMatchObject({ state: 'watching', pid: pidOf(first) });
  });

  it('raises the boom when the connection ends without a goodbye, and says so to the next gate', async () => {
    await bus.plug();
    const [gate, next] = [await sleeper(), await sleeper()];
    const talker = new Talker().say(hello(pidOf(gate), 'release'));
    await talker.hears('welcome');
    talker.say({ kind: 'will', lane: 'entry', last: { will: 'raise', watch: 'lowering', closeOffMs: null } });
    talker.socket.end();
    await until(() => supervisor.state().takeOver?.acts[0]?.done, { what: 'the last will' });
    expect(levels(0)).toEqual([1, 0]);
    expect(gate.signalCode ?? (await once(gate, 'exit'))[1]).toBe('SIGKILL');
    await until(() => supervisor.state().state === 'idle', { what: 'the devices to be let go' });
    await new Talker().say(hello(pidOf(next), 'release')).hears('"will":"raise","done":true');
  });

  it('kills a gate that falls silent, the sooner the more there is to lose, and leaves a calm one alone', async () => {
    await bus.plug();
    const gate = await sleeper();
    const talker = new Talker().say(hello(pidOf(gate), 'release'));
    await talker.hears('welcome');
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(supervisor.state().state).toBe('watching');
    talker.say({ kind: 'will', lane: 'entry', last: { will: 'raise', watch: 'lowering', closeOffMs: null } });
    await once(gate, 'exit');
    expect(gate.signalCode).toBe('SIGKILL');
    await until(() => levels(0).includes(1), { what: 'the raise' });
    expect(supervisor.state().takeOver?.reason).toContain('no sign of life');
  });

  it('does nothing after a goodbye', async () => {
    await bus.plug();
    const gate = await sleeper();
    const talker = new Talker().say(hello(pidOf(gate), 'raise'));
    await talker.hears('welcome');
    talker.say({ kind: 'goodbye' });
    talker.socket.end();
    expect(await askSupervisor(socketPath, true, 5_000, systemClock)).toMatchObject({ state: 'idle', goodbye: true });
    expect(gate.exitCode ?? gate.signalCode).toBeNull();
    expect(levels(0)).toEqual([]);
  });

  it('holds a contact until the next gate takes over, and lets go without a flicker', async () => {
    await bus.plug();
    const [gate, next] = [await sleeper(), await sleeper()];
    const talker = new Talker().say(hello(pidOf(gate), 'hold'));
    await talker.hears('welcome');
    talker.socket.end();
    await until(() => supervisor.state().state === 'holding', { what: 'the hold' });
    expect(levels(0)).toEqual([1]);
    await new Talker().say(hello(pidOf(next), 'hold')).hears('welcome');
    expect((await bus.report(1)).coils[0]).toBe(1);
    expect(levels(0)).toEqual([1]);
  });

  it('goes on trying where the board is away, and those who ask for the safe state wait for it', async () => {
    const gate = await sleeper();
    const talker = new Talker().say(hello(pidOf(gate), 'release'));
    await talker.hears('welcome');
    talker.socket.end();
    const asked = askSupervisor(socketPath, true, 20_000, systemClock);
    await until(() => supervisor.state().takeOver !== undefined, { what: 'the take-over' });
    expect(supervisor.state().state).toBe('acting');
    await bus.plug();
    expect(await asked).toMatchObject({ state: 'idle', takeOver: { acts: [{ lane: 'entry', will: 'release', done: true }] } });
  });
});

describe('the gate and its supervisor', () => {
  const estate = (): ConstructorParameters<typeof SupervisorClient>[0]['estate'] => ({
    devices: [],
    lanes: [{ lane: 'entry', outputs: { open: { device: 'bus', unit: 1, line: 0 }, others: [] }, holds: false, pulseMs: 300, deadTimeMs: 0, last: { will: 'release', watch: 'calm', closeOffMs: null } }],
    silenceMs: { lowering: 300, urgent: 400, idle: 15_000 },
  });

  it('a gate without one works, says so, and finds it when it comes', async () => {
    await supervisor.stop();
    const takeOvers: TakeOver[] = [];
    const client = new SupervisorClient({ socketPath, estate: estate(), clock: systemClock, log: silentLog, onTakeOver: (takeOver) => takeOvers.push(takeOver) });
    await client.start();
    expect(client.health()).toMatchObject({ supervisor: 'absent' });
    expect(client.health().detail).toContain('systemctl start laurel-gate-supervisor');
    supervisor = new Supervisor({ socketPath, clock: systemClock, log: silentLog });
    await supervisor.start();
    await until(() => client.health().supervisor === 'watching', { what: 'the supervisor to be found' });
    client.will('entry', { will: 'raise', watch: 'lowering', closeOffMs: null });
    // Its beats keep it alive through more than the silence that would count as death.
    await new Promise((resolve) => setTimeout(resolve, 900));
    expect(supervisor.state()).toMatchObject({ state: 'watching', pid: process.pid });
    await client.stop(true);
    expect(supervisor.state()).toMatchObject({ state: 'idle', goodbye: true });
    expect(takeOvers).toEqual([]);
  });
});
