import { describe, expect, test } from 'vitest';
import { GateError, ManualClock, silentLog, type Log, type SignalState } from '../../src/base/index.js';
import type { Decision } from '../../src/access/index.js';
import type { DigitalInput, DigitalOutput, SignalChange } from '../../src/device/index.js';
import { LaneRunner, type DriverMessage, type EndedPassage, type LaneEvent, type LaneMeasure, type LanePorts, type LaneSettings, type LaneView, type OutputName, type SensorName } from '../../src/lane/index.js';
import { admit, refuse, site, type Site } from './fixtures.js';
import { plateRead } from './plates.js';

class FakeInput implements DigitalInput {
  readonly ref = { device: 'test', line: 0 };
  #state: SignalState;
  readonly #listeners = new Set<(change: SignalChange) => void>();
  readonly #clock: ManualClock;

  constructor(clock: ManualClock, state: SignalState) {
    this.#clock = clock;
    this.#state = state;
  }

  state(): SignalState {
    return this.#state;
  }

  onChange(listener: (change: SignalChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(state: SignalState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener({ state, atMs: this.#clock.monoMs() });
  }

  get watched(): boolean {
    return this.#listeners.size > 0;
  }
}

type Behaviour = 'works' | 'fails' | 'hangs';

class FakeOutput implements DigitalOutput {
  readonly ref = { device: 'test', line: 1 };
  readonly timesPulses = false;
  behaviour: Behaviour = 'works';
  readonly orders: { readonly what: string; readonly atMs: number }[] = [];
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  pulse(durationMs: number): Promise<void> {
    return this.#take(`pulse ${durationMs}`);
  }

  hold(): Promise<void> {
    return this.#take('hold');
  }

  release(): Promise<void> {
    return this.#take('release');
  }

  state(): SignalState {
    return 'unknown';
  }

  get said(): readonly string[] {
    return this.orders.map((order) => order.what);
  }

  async #take(what: string): Promise<void> {
    this.orders.push({ what, atMs: this.#clock.monoMs() });
    if (this.behaviour === 'fails') throw new GateError('DEVICE_TIMEOUT', 'relay board does not answer; check its cable');
    if (this.behaviour === 'hangs') await new Promise(() => undefined);
  }
}

class Rig {
  readonly clock = new ManualClock();
  readonly settings: LaneSettings;
  readonly inputs = new Map<SensorName, FakeInput>();
  readonly open = new FakeOutput(this.clock);
  readonly close = new FakeOutput(this.clock);
  readonly events: { readonly event: LaneEvent; readonly atMs: number }[] = [];
  readonly ended: EndedPassage[] = [];
  readonly shown: DriverMessage[] = [];
  readonly views: LaneView[] = [];
  readonly measures: LaneMeasure[] = [];
  readonly photographs: (string | null)[] = [];
  readonly errors: string[] = [];
  journalMs: number | 'fails' | 'throws' = 0;
  answer: () => Decision | Promise<Decision> = () => admit;
  readonly lane: LaneRunner;
  #ids = 0;

  constructor(options: Site = {}, first: Partial<Record<SensorName, SignalState>> = {}, more: Partial<LanePorts> = {}) {
    this.settings = site(options);
    for (const sensor of this.settings.sensors) this.inputs.set(sensor, new FakeInput(this.clock, first[sensor] ?? 'off'));
    const log: Log = { ...silentLog, error: (_facts, message) => this.errors.push(message) };
    const outputs: Partial<Record<OutputName, DigitalOutput>> = { open: this.open, close: this.close };
    this.lane = new LaneRunner({
      settings: this.settings,
      clock: this.clock,
      log,
      ports: {
        outputs,
        inputs: Object.fromEntries(this.inputs),
        journal: { append: (event) => this.#append(event) },
        decide: () => this.answer(),
        photograph: (passage) => this.photographs.push(passage),
        show: (message) => this.shown.push(message),
        newPassageId: () => `p-${(this.#ids += 1)}`,
        onView: (view) => this.views.push(view),
        onPassageEnd: (ended) => this.ended.push(ended),
        onMeasure: (measure) => this.measures.push(measure),
        ...more,
      },
    });
  }

  #append(event: LaneEvent): Promise<unknown> {
    this.events.push({ event, atMs: this.clock.monoMs() });
    if (this.journalMs === 'throws') throw new GateError('JOURNAL_CLOSED', 'journal is closed');
    if (this.journalMs === 'fails') return Promise.reject(new GateError('JOURNAL_WRITE_FAILED', 'disk full'));
    const waitMs = this.journalMs;
    return waitMs === 0 ? Promise.resolve() : new Promise((resolve) => void this.clock.after(waitMs, () => resolve(undefined)));
  }

  set(sensor: SensorName, state: SignalState): void {
    this.inputs.get(sensor)?.set(state);
  }

  sees(text: string): void {
    this.lane.track({ track: text, vote: plateRead(text), reads: 4, decisive: true, stationary: false, ended: false, seenAtMs: this.clock.monoMs(), readAtMs: this.clock.monoMs() });
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms);
  }

  /** Started, and the boom known to be closed. */
  async ready(): Promise<this> {
    this.lane.start();
    this.lane.visionAvailable(true);
    await this.pass(10_000);
    this.open.orders.length = 0;
    this.close.orders.length = 0;
    return this;
  }

  types(): readonly string[] {
    return this.events.map(({ event }) => event.type);
  }
}

describe('lane runner', () => {
  test('a resident drives in: relay, record, passage, view', async () => {
    const rig = await new Rig().ready();
    rig.sees('京A12345');
    rig.set('approach', 'on');
    await rig.pass(4_000);
    expect(rig.open.said).toEqual(['pulse 400', 'release']);
    expect(rig.lane.view()).toMatchObject({ boom: 'open', boomPosition: 1, passage: { id: 'p-1', phase: 'admitted', plate: { text: '京A12345' } } });
    rig.set('closing', 'on');
    await rig.pass(500);
    expect(rig.lane.view().passage?.phase).toBe('passing');
    rig.set('approach', 'off');
    await rig.pass(500);
    rig.set('closing', 'off');
    await rig.pass(10);
    expect(rig.lane.view().passage?.phase).toBe('leaving');
    await rig.pass(8_000);
    expect(rig.ended).toMatchObject([{ id: 'p-1', lane: 'entry', end: 'entered', clearedBy: 'decision', decision: admit }]);
    expect(rig.close.said).toEqual(['pulse 400', 'release']);
    expect(rig.lane.view()).toMatchObject({ boom: 'closed', passage: null, counts: { passages: 1, opened: 1, refused: 0 } });
    expect(rig.events.filter(({ event }) => event.passage === 'p-1').map(({ event }) => event.type)).toEqual([
      'passage.started',
      'passage.read',
      'passage.decided',
      'boom.opening',
      'passage.ended',
    ]);
    expect(rig.views.at(-1)?.boom).toBe('closed');
  });

  test('with a warm decision on record nothing is between the loop and the relay', async () => {
    const rig = await new Rig().ready();
    rig.sees('京A12345');
    await rig.pass(100);
    rig.journalMs = 7;
    rig.set('approach', 'on');
    await rig.pass(1_000);
    expect(rig.measures).toEqual([{ loopToRelayMs: 0, warm: true }]);
  });

  test('a late decision is measured from the decision', async () => {
    const rig = await new Rig().ready();
    rig.answer = () => new Promise((resolve) => void rig.clock.after(300, () => resolve(admit)));
    rig.set('approach', 'on');
    await rig.pass(1_000);
    rig.sees('京A12345');
    rig.journalMs = 5;
    await rig.pass(1_000);
    expect(rig.measures).toEqual([{ loopToRelayMs: 5, warm: false }]);
  });

  test('an opening by a person is no measure of the loop', async () => {
    const rig = await new Rig({ barrier: { closing: 'barrier-closes' } }).ready();
    await Promise.all([rig.lane.command({ id: 'a', target: 'open', issuer: 'web:guard', reason: '' }), rig.pass(4_000)]);
    rig.set('approach', 'on');
    expect(rig.measures).toEqual([]);
  });

  test('a slow disk: the boom moves after 150 ms and says so', async () => {
    const rig = await new Rig().ready();
    rig.journalMs = 5_000;
    rig.sees('京A12345');
    rig.set('approach', 'on');
    const edgeMs = rig.clock.monoMs();
    await rig.pass(1_000);
    expect(rig.open.orders[0]).toEqual({ what: 'pulse 400', atMs: edgeMs + 150 });
    expect(rig.lane.view().attention).toContain('record-late');
  });

  test.each(['fails', 'throws'] as const)('a journal that %s does not hold the boom', async (how) => {
    const rig = await new Rig().ready();
    rig.journalMs = how;
    rig.sees('京A12345');
    rig.set('approach', 'on');
    await rig.pass(10);
    expect(rig.open.said).toEqual(['pulse 400']);
    expect(rig.errors).toContain('event not journalled');
  });

  test('fire moves before the journal has answered', async () => {
    const rig = await new Rig({ sensors: ['fire'] }).ready();
    rig.journalMs = 60_000;
    rig.set('fire', 'on');
    expect(rig.open.said).toEqual(['pulse 400']);
    expect(rig.types()).toContain('boom.opening');
  });

  test('a relay that does not answer: boom.fault, attention, tried again, and good again', async () => {
    const rig = await new Rig({ sensors: ['fire'] }).ready();
    rig.open.behaviour = 'fails';
    rig.set('fire', 'on');
    await rig.pass(3_000);
    expect(rig.open.said.filter((what) => what === 'pulse 400').length).toBeGreaterThan(3);
    expect(rig.types()).toContain('boom.fault');
    expect(rig.lane.view().attention).toContain('output-fault');
    rig.open.behaviour = 'works';
    await rig.pass(6_000);
    expect(rig.lane.view()).toMatchObject({ boom: 'open' });
    expect(rig.lane.view().attention).not.toContain('output-fault');
  });

  test('a relay that never answers is released by the runner itself after its pulse', async () => {
    const rig = await new Rig().ready();
    rig.open.behaviour = 'hangs';
    void rig.lane.command({ id: 'a', target: 'open', issuer: 'web:guard', reason: 'parcel' });
    await rig.pass(1_000);
    const [pulse, release] = rig.open.orders;
    expect(pulse?.what).toBe('pulse 400');
    expect(release).toEqual({ what: 'release', atMs: (pulse?.atMs ?? 0) + 650 });
  });

  test('commands answer when the target is reached, with a reason where it is not', async () => {
    const rig = await new Rig().ready();
    const order = (id: string, target: 'open' | 'close' | 'hold' | 'release' | 'stop') => rig.lane.command({ id, target, issuer: 'platform:alice', reason: 'test' });
    const opened = order('a', 'open');
    await rig.pass(4_000);
    expect(await opened).toEqual({ outcome: 'done', reason: null });
    expect(await order('a', 'open')).toEqual({ outcome: 'refused', reason: 'duplicate' });
    rig.set('closing', 'on');
    expect(await order('b', 'close')).toEqual({ outcome: 'refused', reason: 'obstructed' });
    const held = order('c', 'hold');
    await rig.lane.stop();
    expect((await held).outcome).toBe('done');
    expect(await order('d', 'open')).toEqual({ outcome: 'refused', reason: 'lane-stopped' });
  });

  test('stop releases every output, leaves the inputs alone and ends waiting commands', async () => {
    const rig = await new Rig().ready();
    const opening = rig.lane.command({ id: 'a', target: 'open', issuer: 'web:guard', reason: '' });
    await rig.pass(100);
    const stopped = rig.lane.stop();
    await rig.pass(1);
    await stopped;
    expect(await opening).toEqual({ outcome: 'failed', reason: 'lane-stopped' });
    expect(rig.open.said.at(-1)).toBe('release');
    expect(rig.close.said.at(-1)).toBe('release');
    expect([...rig.inputs.values()].some((input) => input.watched)).toBe(false);
    const orders = rig.open.orders.length;
    rig.sees('京A12345');
    await rig.pass(60_000);
    expect(rig.open.orders).toHaveLength(orders);
    await rig.lane.stop();
  });

  test('stop does not wait for ever for a board that is gone', async () => {
    const rig = await new Rig().ready();
    rig.open.behaviour = 'hangs';
    rig.close.behaviour = 'fails';
    let over = false;
    const stopped = rig.lane.stop().then(() => (over = true));
    await rig.pass(999);
    expect(over).toBe(false);
    await rig.pass(1);
    await stopped;
    expect(rig.errors).toContain('the outputs could not be put in their last state at the stop');
  });

  test('nothing moves until every input was read; a silent one counts as faulty after a while', async () => {
    const rig = new Rig({ sensors: ['beam', 'fire'] }, { beam: 'unknown', fire: 'on' });
    rig.lane.start();
    rig.lane.start();
    await rig.pass(1_999);
    expect(rig.open.said).toEqual([]);
    await rig.pass(1);
    expect(rig.open.said).toEqual(['pulse 400']);
    expect(rig.lane.view().attention).toEqual(['fire', 'input-fault:beam']);
    await rig.pass(60_000);
    expect(rig.close.said).toEqual([]);
  });

  test('inputs read a moment after the start let the lane begin at once', async () => {
    const rig = new Rig({ sensors: ['fire'] }, { closing: 'unknown', fire: 'on' });
    rig.lane.start();
    await rig.pass(300);
    expect(rig.open.said).toEqual([]);
    rig.set('closing', 'off');
    expect(rig.open.said).toEqual(['pulse 400']);
  });

  test('an input that is configured and not connected is a fault, and keeps the boom up', async () => {
    const rig = new Rig({ sensors: ['beam'] }, {}, { inputs: {} });
    rig.lane.start();
    await rig.pass(60_000);
    expect(rig.lane.view().sensors).toEqual({ approach: 'unknown', closing: 'unknown', beam: 'unknown' });
    expect(rig.close.said).toEqual([]);
  });

  test('an output that is configured and not connected is a fault', async () => {
    const rig = new Rig({}, {}, { outputs: {} });
    rig.lane.start();
    await rig.pass(3_000);
    expect(rig.lane.view().attention).toContain('output-fault');
    const stopped = rig.lane.stop();
    await rig.pass(10);
    await stopped;
  });

  test('passages cut off by a restart are ended on record', () => {
    const rig = new Rig();
    rig.lane.start(['old-1', 'old-2']);
    expect(rig.ended.map(({ id, end }) => `${id} ${end}`)).toEqual(['old-1 unfinished', 'old-2 unfinished']);
    expect(rig.events.slice(0, 2).map(({ event }) => event)).toMatchObject([
      { type: 'passage.ended', passage: 'old-1', payload: { end: 'unfinished' } },
      { type: 'passage.ended', passage: 'old-2', payload: { end: 'unfinished' } },
    ]);
  });

  test('passages of an earlier run that come late are ended on record; the one under way goes on, and nothing moves', async () => {
    const learned: unknown[] = [];
    const rig = new Rig({}, { approach: 'on' }, { onLearned: (times) => learned.push(times) });
    rig.lane.start();
    await rig.pass(100);
    const said = [...rig.open.said, '|', ...rig.close.said];
    const { passage } = rig.lane.view();
    expect(passage).not.toBeNull();
    rig.lane.recall(['old-1', 'old-2'], { openMs: 2_500, closeMs: null });
    expect(rig.ended.map(({ id, end }) => `${id} ${end}`)).toEqual(['old-1 unfinished', 'old-2 unfinished']);
    expect(rig.events.slice(-2).map(({ event }) => event)).toMatchObject([
      { type: 'passage.ended', passage: 'old-1', payload: { end: 'unfinished' } },
      { type: 'passage.ended', passage: 'old-2', payload: { end: 'unfinished' } },
    ]);
    expect([rig.lane.view().passage, [...rig.open.said, '|', ...rig.close.said]]).toEqual([passage, said]);
    await rig.pass(30_000);
    expect(learned[0]).toMatchObject({ openMs: 2_500, closeMs: null });
  });

  test('a vehicle found waiting at start is served and measured', async () => {
    const rig = new Rig({}, { approach: 'on' });
    rig.lane.start();
    await rig.pass(100);
    expect(rig.open.said).toEqual(['pulse 400']);
    expect(rig.measures).toHaveLength(1);
  });

  test.each([
    ['throws', (): Decision => { throw new GateError('JOURNAL_CLOSED', 'lists are not there'); }],
    ['rejects', (): Promise<Decision> => Promise.reject(new GateError('JOURNAL_CLOSED', 'lists are not there'))],
  ] as const)('access that %s: a person is called, and it is tried again', async (_how, answer) => {
    const rig = await new Rig().ready();
    rig.answer = answer;
    rig.sees('京A12345');
    rig.set('approach', 'on');
    await rig.pass(100);
    expect(rig.lane.view().attention).toContain('decision-failed');
    rig.answer = () => admit;
    await rig.pass(1_000);
    expect(rig.open.said).toContain('pulse 400');
  });

  test('a barrier that closes by itself is held open by its contact', async () => {
    const rig = await new Rig({ barrier: { closing: 'barrier-closes' } }).ready();
    void rig.lane.command({ id: 'a', target: 'hold', issuer: 'web:guard', reason: 'morning' });
    await rig.pass(10_000);
    void rig.lane.command({ id: 'b', target: 'release', issuer: 'web:guard', reason: 'over' });
    await rig.pass(10);
    expect(rig.open.said).toEqual(['hold', 'release']);
  });

  test('an opening tried again is measured once', async () => {
    const rig = await new Rig().ready();
    rig.open.behaviour = 'fails';
    rig.sees('京A12345');
    rig.set('approach', 'on');
    await rig.pass(1_200);
    expect(rig.open.said.filter((what) => what === 'pulse 400').length).toBeGreaterThan(1);
    expect(rig.measures).toHaveLength(1);
  });

  test('ports that throw stop nothing', async () => {
    const broken = (): never => {
      throw new GateError('PICTURE_UNREADABLE', 'broken port');
    };
    const rig = await new Rig({}, {}, { photograph: broken, show: broken, onView: broken, onPassageEnd: broken, onMeasure: broken }).ready();
    rig.sees('京A12345');
    rig.set('approach', 'on');
    await rig.pass(4_000);
    rig.set('closing', 'on');
    await rig.pass(300);
    rig.set('approach', 'off');
    rig.set('closing', 'off');
    await rig.pass(8_000);
    expect(rig.lane.view()).toMatchObject({ boom: 'closed', passage: null });
    expect(rig.errors).toContain('a port of the lane failed');
  });

  test('an obstruction is photographed though it belongs to no passage', async () => {
    const rig = await new Rig().ready();
    void rig.lane.command({ id: 'a', target: 'open', issuer: 'web:guard', reason: '' });
    await rig.pass(19_000);
    rig.set('closing', 'on');
    expect(rig.photographs).toContain(null);
  });

  test('a port without a measure is fine, and phases read as a page shows them', async () => {
    const { onMeasure, ...rest } = { onMeasure: undefined };
    expect(onMeasure).toBeUndefined();
    const rig = await new Rig({}, {}, rest).ready();
    rig.answer = () => refuse;
    void rig.lane.command({ id: 'a', target: 'open', issuer: 'web:guard', reason: '' });
    expect(rig.lane.view().passage?.phase).toBe('expected');
    await rig.pass(30_000);
    rig.set('approach', 'on');
    expect(rig.lane.view().passage?.phase).toBe('reading');
    rig.sees('粤C2468E');
    expect(rig.lane.view().passage?.phase).toBe('refused');
    rig.answer = () => new Promise(() => undefined);
    rig.set('approach', 'off');
    await rig.pass(10_000);
    rig.sees('沪B67890');
    rig.set('approach', 'on');
    expect(rig.lane.view().passage?.phase).toBe('deciding');
    rig.answer = () => ({ outcome: 'ask', rule: 'outside-ask', visitorClass: 'outside' });
    await rig.pass(1_999);
    expect(rig.lane.view().passage?.phase).toBe('deciding');
    await rig.pass(1);
    expect(rig.lane.view().attention).toContain('decision-failed');
    await rig.pass(500);
    expect(rig.lane.view().passage?.phase).toBe('asking');
  });
});
