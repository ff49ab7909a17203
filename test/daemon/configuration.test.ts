import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ManualClock, silentLog, type JsonObject } from '../../src/base/index.js';
import { beginEffective } from '../../src/config/index.js';
import { Configuration, configDigest, type ConfigurationHost } from '../../src/daemon/configuration.js';
import type { NewEvent } from '../../src/journal/index.js';
import type { DesiredConfig } from '../../src/uplink/index.js';
import { until } from '../support/until.js';

const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** One box: its files, and what stays of it over restarts. */
class Box {
  readonly clock = new ManualClock();
  readonly events: NewEvent[] = [];
  readonly restarts: string[] = [];
  readonly busy: string[] = [];
  /** What the log said at starts, facts and words. */
  readonly errors: string[] = [];
  readonly parts = new Map([['lane entry', true], ['uplink', true]]);
  journalAnswers = true;
  readonly path: string;
  readonly #facts = new Map<string, JsonObject>();

  constructor() {
    const directory = mkdtempSync(join(tmpdir(), 'laurel-configuration-'));
    directories.push(directory);
    this.path = join(directory, 'gate.yaml');
    const line = (name: string): object => ({ device: 'world', line: `entry.${name}` });
    writeFileSync(
      this.path,
      JSON.stringify({
        site: { id: 'laurel', name: 'laurel' },
        gate: { id: 'east', name: 'east', dataDirectory: join(directory, 'data') },
        devices: [{ id: 'world', driver: 'sim' }],
        lanes: [{ id: 'entry', name: 'entry', direction: 'entry', barrier: { closing: 'gateway-closes', open: line('open'), close: line('close') }, inputs: Object.fromEntries(['approach', 'closing', 'openLimit', 'closedLimit'].map((name) => [name, line(name)])) }],
        access: { outside: { policy: 'ask' }, spaces: 100 },
        uplink: { remoteConfiguration: 'settings', configurationTrialS: 30 },
      }),
    );
  }

  /** Its own folder of configurations. */
  get managed(): string {
    return join(dirname(this.path), 'data', 'config');
  }

  /** What the daemon does when it starts. */
  async begin(): Promise<Configuration> {
    const configuration = new Configuration({ effective: await beginEffective(this.path, this.clock.wallMs(), { ...silentLog, error: (facts, message) => void this.errors.push(`${message} ${JSON.stringify(facts)}`) }), clock: this.clock, log: silentLog });
    const host: ConfigurationHost = {
      busyLanes: () => this.busy,
      parts: () => this.parts,
      journalAnswers: () => (this.journalAnswers ? Promise.resolve() : new Promise<void>(() => undefined)),
      append: (event) => Promise.resolve(this.events.push(event)),
      remember: (key, value) => Promise.resolve(void this.#facts.set(key, value)),
      recall: (key) => Promise.resolve(this.#facts.get(key)),
      restart: (reason) => void this.restarts.push(reason),
    };
    await configuration.start(host);
    return configuration;
  }

  /** Lets time pass in steps, with what is asked of the disk in between. */
  async pass(seconds: number): Promise<void> {
    for (let step = 0; step < seconds * 2; step += 1) {
      this.clock.advance(500);
      await Promise.resolve();
    }
  }

  /** The technician's file without its parking spaces: settings that stand over it as well as in its place, where 500 count. */
  get withoutSpaces(): DesiredConfig['config'] {
    const file = z.record(z.string(), z.json()).parse(JSON.parse(readFileSync(this.path, 'utf8')));
    return { ...file, access: { outside: { policy: 'ask' } } };
  }

  get types(): readonly string[] {
    return this.events.map(({ type }) => type);
  }
}

const desired = (version: number, config: DesiredConfig['config'], more: Partial<DesiredConfig> = {}): DesiredConfig => ({ version, id: `c${version}`, issuer: 'platform:alice', whole: false, config, ...more });
const spaces = (count: number): DesiredConfig['config'] => ({ access: { spaces: count } });
const spacesIn = (configuration: Configuration): number => z.object({ access: z.object({ spaces: z.number() }) }).parse(configuration.report().reported).access.spaces;
const outcomeIs = (configuration: Configuration, outcome: string): Promise<boolean> => until(() => configuration.report().outcome?.outcome === outcome, { timeoutMs: 10_000, what: outcome });

/** Staged, restarted, and on trial. */
async function onTrial(box: Box, configuration: Configuration, wanted: DesiredConfig): Promise<Configuration> {
  expect(await configuration.propose(wanted)).toBeNull();
  await box.pass(4);
  expect(box.restarts.at(-1)).toBe('new configuration');
  await configuration.stop(true);
  const next = await box.begin();
  expect(next.report().trial).toMatchObject({ version: wanted.version, state: 'trying' });
  return next;
}

async function applied(box: Box, configuration: Configuration, wanted: DesiredConfig): Promise<Configuration> {
  const next = await onTrial(box, configuration, wanted);
  await box.pass(31);
  await outcomeIs(next, 'applied');
  return next;
}

describe('a new configuration', () => {
  it('waits for quiet lanes, says when it takes long, and goes on waiting', async () => {
    const box = new Box();
    const configuration = await box.begin();
    const told: unknown[] = [];
    configuration.onChange(() => told.push(configuration.report().trial?.state));
    box.busy.push('entry');
    expect(await configuration.propose(desired(1, spaces(7)))).toBeNull();
    await box.pass(599);
    expect([configuration.report().trial, box.restarts]).toMatchObject([{ version: 1, state: 'staged' }, []]);
    await box.pass(2);
    expect([configuration.report().trial, box.restarts]).toMatchObject([{ version: 1, state: 'deferred' }, []]);
    await box.pass(600);
    box.busy.pop();
    await box.pass(1);
    // A lane that was busy a moment ago is not quiet yet.
    box.busy.push('entry');
    await box.pass(1);
    box.busy.pop();
    await box.pass(1);
    expect(box.restarts).toEqual([]);
    await box.pass(2);
    expect([box.restarts, told]).toEqual([['new configuration'], ['staged', 'deferred']]);
    expect(box.types).toEqual(['config.staged']);
  });

  it('that comes while another waits takes its place, and the platform hears how both ended', async () => {
    const box = new Box();
    let configuration = await box.begin();
    const told: unknown[] = [];
    configuration.onChange(() => told.push(configuration.report().outcome));
    box.busy.push('entry');
    await configuration.propose(desired(1, spaces(7)));
    await configuration.propose(desired(2, spaces(8)));
    const superseded = { version: 1, id: 'c1', issuer: 'platform:alice', outcome: 'refused', code: 'CONFIG_SUPERSEDED', reasons: ['version 2 of platform:alice came in its place'] };
    expect([told, configuration.report().trial]).toMatchObject([[null, superseded], { version: 2, state: 'staged' }]);
    expect(await configuration.propose(desired(1, spaces(7)))).toMatchObject(superseded);
    expect(box.types).toEqual(['config.staged', 'config.refused', 'config.staged']);
    expect(box.events[1]).toMatchObject({ payload: { version: 1, code: 'CONFIG_SUPERSEDED' } });

    box.busy.pop();
    await box.pass(4);
    await configuration.stop(true);
    configuration = await box.begin();
    await box.pass(31);
    await outcomeIs(configuration, 'applied');
    expect([spacesIn(configuration), configuration.report().outcome?.version]).toEqual([8, 2]);
  });

  it('is applied when everything was well at the end of its trial, and is in force from its start on', async () => {
    const box = new Box();
    const configuration = await onTrial(box, await box.begin(), desired(1, spaces(7)));
    expect(spacesIn(configuration)).toBe(7);
    box.parts.set('uplink', false);
    await box.pass(10);
    box.parts.set('uplink', true);
    await box.pass(21);
    await outcomeIs(configuration, 'applied');
    expect(configuration.report()).toMatchObject({ active: { source: 'managed', version: 1 }, trial: null });
    await until(() => box.types.length === 2, { timeoutMs: 10_000, what: 'the event' });
    expect(box.types).toEqual(['config.staged', 'config.applied']);
    const again = await box.begin();
    expect([spacesIn(again), again.report().trial, box.types.length]).toEqual([7, null, 2]);
  });

  it('is given back when a part that was well is not, by name; the one before is in force after a restart', async () => {
    const box = new Box();
    const configuration = await onTrial(box, await box.begin(), desired(1, spaces(7)));
    box.parts.set('uplink', false);
    box.busy.push('entry');
    await box.pass(31);
    await until(() => configuration.report().trial?.state === 'returning', { timeoutMs: 10_000, what: 'the return' });
    expect(configuration.report()).toMatchObject({ outcome: { version: 1, outcome: 'returned', code: 'CONFIG_UNHEALTHY', reasons: ['uplink is not well'] } });
    // It waits for quiet lanes, but not for ever.
    await box.pass(50);
    expect(box.restarts).toHaveLength(1);
    await box.pass(15);
    expect(box.restarts).toEqual(['new configuration', 'configuration returned']);
    const after = await box.begin();
    expect([spacesIn(after), after.report().active.source]).toEqual([100, 'file']);
  });

  it('is given back when the journal does not answer', async () => {
    const box = new Box();
    const configuration = await onTrial(box, await box.begin(), desired(1, spaces(7)));
    box.journalAnswers = false;
    await box.pass(31);
    await outcomeIs(configuration, 'returned');
    expect(configuration.report().outcome?.reasons).toEqual(['the journal does not answer']);
  });

  it('is given back at the next start after a crash, and after three starts without an end', async () => {
    const crashed = new Box();
    await onTrial(crashed, await crashed.begin(), desired(1, spaces(7)));
    const after = await crashed.begin();
    expect(after.report()).toMatchObject({ active: { source: 'file' }, trial: null, outcome: { outcome: 'returned', code: 'CONFIG_CRASHED' } });

    const stopped = new Box();
    let configuration = await onTrial(stopped, await stopped.begin(), desired(1, spaces(7)));
    for (let start = 2; start <= 3; start += 1) {
      await configuration.stop(true);
      configuration = await stopped.begin();
      expect(configuration.report().trial?.state).toBe('trying');
    }
    await configuration.stop(true);
    configuration = await stopped.begin();
    expect(configuration.report()).toMatchObject({ active: { source: 'file' }, trial: null, outcome: { code: 'CONFIG_CRASHED', reasons: [expect.stringContaining('begun 3 times')] } });
  });
});

/** On trial, and without its broker until it is given back; then the start after that. */
async function returned(box: Box, configuration: Configuration, wanted: DesiredConfig): Promise<Configuration> {
  const trying = await onTrial(box, configuration, wanted);
  box.parts.set('uplink', false);
  await box.pass(31);
  await outcomeIs(trying, 'returned');
  await box.pass(4);
  await trying.stop(true);
  box.parts.set('uplink', true);
  return box.begin();
}

describe('the same settings over the file and in its place', () => {
  it('are two configurations: the one that fails gives way to the one before, and neither passes for the other', async () => {
    const box = new Box();
    let configuration = await applied(box, await box.begin(), desired(1, box.withoutSpaces));
    expect(spacesIn(configuration)).toBe(100);
    expect(await configuration.propose(desired(1, box.withoutSpaces, { whole: true }))).toMatchObject({ outcome: 'refused', code: 'CONFIG_CONFLICT' });
    expect(await configuration.propose(desired(1, box.withoutSpaces))).toMatchObject({ outcome: 'applied' });

    expect(await configuration.propose(desired(2, box.withoutSpaces, { whole: true }))).toBeNull();
    expect(await configuration.propose(desired(2, box.withoutSpaces))).toMatchObject({ outcome: 'refused', code: 'CONFIG_CONFLICT' });
    configuration = await returned(box, configuration, desired(2, box.withoutSpaces, { whole: true }));
    expect([spacesIn(configuration), configuration.report().active]).toMatchObject([100, { version: 1, digest: configDigest(box.withoutSpaces) }]);

    configuration = await applied(box, configuration, desired(3, box.withoutSpaces, { whole: true }));
    expect(spacesIn(configuration)).toBe(500);
    // What was in force before is kept beside it.
    await configuration.returnHere('console:pi');
    await box.pass(4);
    await configuration.stop(true);
    expect(spacesIn(await box.begin())).toBe(100);
  });

  it('of a box that an earlier release left: what was in force stays so, and what fails over it gives way to it', async () => {
    const box = new Box();
    const digest = configDigest(box.withoutSpaces);
    const v1 = { version: 1, id: 'c1', issuer: 'platform:alice', digest };
    mkdirSync(box.managed, { recursive: true });
    writeFileSync(join(box.managed, `${digest}.json`), JSON.stringify({ whole: false, config: box.withoutSpaces }));
    const outcome = { ...v1, number: 1, outcome: 'applied', code: null, reasons: [], faults: [], atMs: 1 };
    writeFileSync(join(box.managed, 'state.json'), JSON.stringify({ format: 1, highest: 1, active: v1, previous: null, trial: null, outcomes: [outcome] }));
    let configuration = await box.begin();
    expect([spacesIn(configuration), configuration.report().active]).toMatchObject([100, { source: 'managed', version: 1, digest }]);
    expect(await configuration.propose(desired(1, box.withoutSpaces))).toMatchObject({ outcome: 'applied' });
    configuration = await returned(box, configuration, desired(2, box.withoutSpaces, { whole: true }));
    expect([spacesIn(configuration), configuration.report().active]).toMatchObject([100, { source: 'managed', version: 1 }]);
    configuration = await applied(box, configuration, desired(3, spaces(7)));
    configuration = await returned(box, configuration, desired(4, spaces(8)));
    expect([spacesIn(configuration), box.errors]).toEqual([7, []]);
  });
});

describe('a start with a damaged record of configurations', () => {
  it("takes the technician's file alone, says so, and keeps all that was there", async () => {
    const box = new Box();
    const configuration = await applied(box, await box.begin(), desired(1, spaces(7)));
    await configuration.stop(true);
    writeFileSync(join(box.managed, 'state.json'), '{"format": 1, "highest": 1, "acti');
    const contents = (folder: string): readonly string[] => readdirSync(folder).sort().map((name) => readFileSync(join(folder, name), 'utf8'));
    const before = contents(box.managed);
    const begun = await box.begin();
    expect([spacesIn(begun), begun.report()]).toMatchObject([100, { active: { source: 'file' }, outcome: { outcome: 'returned', code: 'CONFIG_STATE_DAMAGED' } }]);
    const aside = readdirSync(dirname(box.managed)).filter((name) => name.startsWith('config-damaged-'));
    expect(aside.map((name) => contents(join(dirname(box.managed), name)))).toEqual([before]);
    // What comes next is taken as ever, and counts at the start after.
    const next = await applied(box, begun, desired(2, spaces(8)));
    expect(spacesIn(next)).toBe(8);
  });
});

describe('a start on a disk that takes nothing', () => {
  const full = (box: Box): void => mkdirSync(join(box.managed, 'state.json.new'));
  const mended = (box: Box): void => rmdirSync(join(box.managed, 'state.json.new'));

  it('tries no new configuration and says so; the next start on a good disk does', async () => {
    const box = new Box();
    const configuration = await box.begin();
    await configuration.propose(desired(1, spaces(7)));
    await box.pass(4);
    await configuration.stop(true);
    full(box);
    const untried = await box.begin();
    expect([spacesIn(untried), untried.report()]).toMatchObject([100, { active: { source: 'file' }, outcome: null }]);
    expect(box.errors).toEqual([expect.stringMatching(/could not be stored; nothing is tried.*"version":1,"id":"c1","error":".+"/u)]);
    mended(box);
    expect(spacesIn(await box.begin())).toBe(7);
    expect(box.errors).toHaveLength(1);
  });

  it('puts a trial off that had begun; a newer one that comes then ends it', async () => {
    const box = new Box();
    const trying = await onTrial(box, await box.begin(), desired(1, spaces(7)));
    await trying.stop(true);
    full(box);
    const configuration = await box.begin();
    expect(spacesIn(configuration)).toBe(100);
    mended(box);
    expect(await configuration.propose(desired(2, spaces(8)))).toBeNull();
    expect(configuration.report()).toMatchObject({ trial: { version: 2 }, outcome: { version: 1, outcome: 'returned', code: 'CONFIG_SUPERSEDED' } });
  });

  it('comes after a newer one could not be kept: the one that waited is tried', async () => {
    const box = new Box();
    const configuration = await box.begin();
    await configuration.propose(desired(1, spaces(7)));
    full(box);
    await expect(configuration.propose(desired(2, spaces(8)))).rejects.toMatchObject({ code: 'CONFIG_UNREADABLE' });
    mended(box);
    await box.pass(4);
    await configuration.stop(true);
    expect((await box.begin()).report()).toMatchObject({ trial: { version: 1, state: 'trying' }, outcome: null });
  });

  it('under a configuration that ended the gate never takes it for proven by what runs in its place', async () => {
    const box = new Box();
    const configuration = await applied(box, await box.begin(), desired(1, spaces(7)));
    const failing = await onTrial(box, configuration, desired(2, spaces(8)));
    await failing.stop(false);
    full(box);
    const instead = await box.begin();
    expect(spacesIn(instead)).toBe(7);
    mended(box);
    await box.pass(40);
    await instead.stop(true);
    const after = await box.begin();
    expect([spacesIn(after), after.report()]).toMatchObject([7, { active: { version: 1 }, trial: null, outcome: { version: 2, outcome: 'returned', code: 'CONFIG_CRASHED' } }]);
  });

  it('comes after a trial that failed on it: what did not prove itself is not tried once more', async () => {
    const box = new Box();
    const trying = await onTrial(box, await box.begin(), desired(1, spaces(7)));
    box.parts.set('uplink', false);
    full(box);
    await box.pass(31);
    await until(() => trying.report().trial?.state === 'returning', { timeoutMs: 10_000, what: 'the return' });
    mended(box);
    await box.pass(4);
    expect(box.restarts.at(-1)).toBe('configuration returned');
    await trying.stop(true);
    const after = await box.begin();
    expect([spacesIn(after), after.report()]).toMatchObject([100, { active: { source: 'file' }, trial: null, outcome: { version: 1, outcome: 'returned', code: 'CONFIG_UNHEALTHY', reasons: ['uplink is not well'] } }]);
  });

  it('does without a managed configuration that cannot be used, says why, and that it could not be dropped', async () => {
    const box = new Box();
    const configuration = await applied(box, await box.begin(), desired(1, spaces(7)));
    await configuration.stop(true);
    for (const name of readdirSync(box.managed)) if (name !== 'state.json') rmSync(join(box.managed, name));
    full(box);
    expect(spacesIn(await box.begin())).toBe(100);
    expect(box.errors).toEqual([
      expect.stringMatching(/is not used, gate\.yaml alone counts.*"version":1,"id":"c1","code":"CONFIG_UNREADABLE"/u),
      expect.stringMatching(/was dropped could not be stored.*"version":1/u),
    ]);
    mended(box);
    const dropped = await box.begin();
    expect(dropped.report()).toMatchObject({ active: { source: 'file' }, outcome: { version: 1, outcome: 'returned', code: 'CONFIG_UNREADABLE' } });
  });
});

describe('a configuration that is not taken', () => {
  it('came before: the same gets the same answer, another under its number is a conflict, a lower one is outdated', async () => {
    const box = new Box();
    let configuration = await box.begin();
    await configuration.propose(desired(5, spaces(7)));
    expect(await configuration.propose(desired(5, spaces(7)))).toBeNull();
    expect(await configuration.propose(desired(5, spaces(8)))).toMatchObject({ outcome: 'refused', code: 'CONFIG_CONFLICT' });
    configuration = await applied(box, configuration, desired(6, spaces(9)));
    expect(await configuration.propose(desired(6, spaces(9)))).toMatchObject({ outcome: 'applied', version: 6 });
    expect(await configuration.propose(desired(6, spaces(10)))).toMatchObject({ outcome: 'refused', code: 'CONFIG_CONFLICT' });
    expect(await configuration.propose(desired(5, spaces(7)))).toMatchObject({ outcome: 'refused', code: 'CONFIG_SUPERSEDED' });
    expect(await configuration.propose(desired(4, spaces(7)))).toMatchObject({ outcome: 'refused', code: 'CONFIG_OUTDATED' });
    expect(spacesIn(configuration)).toBe(9);
    expect(box.restarts).toHaveLength(1);
  });

  it('came while another was on trial: it is refused for now, and looked at when that one is applied', async () => {
    const box = new Box();
    const configuration = await onTrial(box, await box.begin(), desired(1, spaces(7)));
    expect(await configuration.propose(desired(2, spaces(8)))).toMatchObject({ outcome: 'refused', code: 'CONFIG_BUSY' });
    await box.pass(31);
    await until(() => configuration.report().trial?.version === 2, { timeoutMs: 10_000, what: 'version 2 to be staged' });
    expect(configuration.report()).toMatchObject({ active: { version: 1 }, trial: { version: 2, state: 'staged' }, outcome: { version: 1, outcome: 'applied' } });
  });

  it('is wrong, is not allowed from afar, or names a secret that is not there: told by place, never tried', async () => {
    const box = new Box();
    const configuration = await box.begin();
    expect(await configuration.propose(desired(1, spaces(-1)))).toMatchObject({ outcome: 'refused', code: 'CONFIG_INVALID', faults: [{ path: 'access.spaces' }] });
    expect(await configuration.propose(desired(2, { lanes: [{ id: 'entry', barrier: { pulseMs: 300 } }] }))).toMatchObject({ code: 'CONFIG_NOT_ALLOWED', faults: [{ path: 'lanes.entry.barrier.pulseMs' }] });
    expect(await configuration.propose(desired(3, { uplink: { broker: { url: 'mqtt://127.0.0.1', username: 'gate', password: { file: 'secrets/none' } } } }))).toMatchObject({ code: 'SECRET_UNREADABLE' });
    expect(await configuration.propose(desired(1, spaces(-1)))).toMatchObject({ code: 'CONFIG_INVALID' });
    await box.pass(10);
    expect([box.restarts, box.types]).toEqual([[], ['config.refused', 'config.refused', 'config.refused']]);
    expect(configuration.report()).toMatchObject({ active: { source: 'file' }, trial: null, highest: 3 });
  });

  it('cannot be read: five a minute are on record, a flood fills no disk', async () => {
    const box = new Box();
    const configuration = await box.begin();
    for (let time = 0; time < 20; time += 1) configuration.unreadable({ code: 'MESSAGE_INVALID' });
    expect(box.events).toHaveLength(5);
    await box.pass(61);
    configuration.unreadable({ code: 'MESSAGE_INVALID' });
    expect(box.events).toHaveLength(6);
  });
});

describe('a technician on the box', () => {
  it('may set what nobody may from afar, is told every fault, and sees which values are not of the file', async () => {
    const box = new Box();
    const configuration = await box.begin();
    const pulse = { lanes: [{ id: 'entry', barrier: { pulseMs: 300 } }] };
    await expect(configuration.applyHere({ whole: false, config: { ...pulse, access: { spaces: -1 } } }, 'console:pi')).rejects.toThrow(/CONFIG_INVALID: .*access\.spaces/su);
    expect(await configuration.applyHere({ whole: false, config: pulse }, 'console:pi')).toMatchObject({ trial: { version: null, state: 'staged' } });
    await box.pass(4);
    await configuration.stop(true);
    const next = await box.begin();
    expect(next.state()).toMatchObject({ file: box.path, changes: [{ path: 'lanes.entry.barrier.pulseMs', value: 300, file: 400 }] });
    await expect(next.applyHere({ whole: false, config: spaces(9) }, 'console:pi')).rejects.toMatchObject({ code: 'CONFIG_BUSY' });
  });

  it('takes the place of what the platform sent and gives way to it; the same settings again go on waiting', async () => {
    const box = new Box();
    const configuration = await box.begin();
    box.busy.push('entry');
    await configuration.propose(desired(1, spaces(7)));
    const [first, again] = [await configuration.applyHere({ whole: false, config: spaces(8) }, 'console:pi'), await configuration.applyHere({ whole: false, config: spaces(8) }, 'console:pi')];
    expect(first).toMatchObject({ trial: { version: null, state: 'staged' }, outcomes: [{ version: 1, outcome: 'refused', code: 'CONFIG_SUPERSEDED', reasons: [expect.stringMatching(/^console-[0-9a-f]{12} of console:pi came in its place$/u)] }] });
    expect(again).toEqual(first);
    await configuration.propose(desired(2, spaces(9)));
    expect(configuration.report()).toMatchObject({ trial: { version: 2 }, outcome: { version: null, issuer: 'console:pi', outcome: 'refused', code: 'CONFIG_SUPERSEDED' } });
  });

  it('goes back: a trial is ended, what was in force before is tried again, and beyond the file there is nothing', async () => {
    const box = new Box();
    let configuration = await box.begin();
    await expect(configuration.returnHere('console:pi')).rejects.toMatchObject({ code: 'CONFIG_BUSY' });
    configuration = await applied(box, configuration, desired(1, spaces(7)));
    configuration = await applied(box, configuration, desired(2, spaces(8)));

    const trying = await onTrial(box, configuration, desired(3, spaces(9)));
    await trying.returnHere('console:pi');
    expect(trying.report()).toMatchObject({ trial: { state: 'returning' }, outcome: { version: 3, outcome: 'returned', reasons: ['returned by console:pi'] } });
    await box.pass(4);
    await trying.stop(true);
    configuration = await box.begin();
    expect(spacesIn(configuration)).toBe(8);

    await configuration.returnHere('console:pi');
    await box.pass(4);
    await configuration.stop(true);
    configuration = await box.begin();
    await box.pass(31);
    await outcomeIs(configuration, 'applied');
    // What the platform sends next has to be above all it ever sent, though none of it is in force by its number now.
    expect([spacesIn(configuration), configuration.report()]).toMatchObject([7, { active: { version: null }, highest: 3 }]);
    // An outcome is on disk first; the event that tells of it follows.
    await until(() => box.types.filter((type) => type === 'config.applied').length === 3, { timeoutMs: 10_000, what: 'the event' });
    expect(box.events.at(-1)).toMatchObject({ type: 'config.applied', payload: { issuer: 'console:pi', version: null } });
  });
});
