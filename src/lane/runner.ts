import { GateError, errorText, type Clock, type Log, type PassageId, type Timer } from '../base/index.js';
import { carryOut } from '../device/carry-out.js';
import type { DigitalOutput } from '../device/index.js';
import type { LaneSign } from './diagnosis/index.js';
import { nextDueMs } from './due.js';
import type { DriveEffect, LaneEffect } from './effect.js';
import type { DriveAction, LaneInput } from './input.js';
import { closeOffMs, lastWill, watchOf } from './last-will.js';
import type { LanePorts, LaneRunnerOptions, WillReport } from './ports.js';
import { reduce } from './reduce.js';
import type { LaneSettings, LearnedRunTimes } from './settings.js';
import { initialLane, type LaneState } from './state.js';
import type { CommandOutcome, ContactName, Lamp, LampName, LaneCommand, LaneEvent, LaneView, OutputName, SensorName, SupervisedOrder, SupervisionView, TrackInput } from './types.js';
import { viewOf } from './view.js';

/** Beyond its pulse an output is released by the runner itself, in case the driver forgot (S3). */
const PULSE_GRACE_MS = 250;
const CONTACTS: readonly ContactName[] = ['open', 'close', 'stop'];
/** Longest `stop` waits for the hardware beyond dead time and pulse. */
const STOP_WAIT_MS = 1_000;

/**
 * The one impure part of the lane: feeds the reducer with what happens, carries out what it asks, and keeps its time.
 * A port that throws, rejects or never answers becomes an input or a log line, and never stops the lane.
 */
export class LaneRunner {
  readonly #settings: LaneSettings;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #ports: LanePorts;
  #state: LaneState;
  #running = false;
  #reducing = false;
  readonly #queue: LaneInput[] = [];
  #timer: Timer | null = null;
  #inputsTimer: Timer | null = null;
  #unsubscribe: (() => void)[] = [];
  readonly #pulseBounds = new Map<ContactName, Timer>();
  readonly #faulty = new Set<ContactName>();
  #lamp: Promise<void> = Promise.resolve();
  #lampWanted: Lamp | null = null;
  readonly #names = new Map<string, PassageId>();
  readonly #waiting = new Map<number, (outcome: CommandOutcome) => void>();
  #ticket = 0;
  #approachEdgeMs: number | null = null;
  #decidedMs: number | null = null;
  #told: WillReport | null = null;

  constructor(options: LaneRunnerOptions) {
    this.#settings = options.settings;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#ports = options.ports;
    this.#state = initialLane(options.settings, 0);
  }

  /**
   * Begins to watch the inputs; call after the devices have started. Nothing moves until every wired input has been read,
   * or `inputsReadMs` have passed and the silent ones count as faulty (S5).
   * @param unfinished passages the journal knows as started and never ended; they are ended on record
   * @param learned run times measured before the restart
   */
  start(unfinished: readonly PassageId[] = [], learned?: LearnedRunTimes): void {
    if (this.#running) return;
    this.#running = true;
    this.#state = initialLane(this.#settings, this.#clock.monoMs(), learned);
    this.#tellWill();
    for (const passage of unfinished) this.#endUnfinished(passage);
    this.#findOn();
    this.#watchRelays();
    for (const sensor of this.#settings.sensors) this.#watch(sensor);
    this.#inputsTimer = this.#clock.after(this.#settings.inputsReadMs, () => this.#dispatch({ kind: 'inputs-read' }));
    this.#noteInputsRead();
  }

  /**
   * The same two, where they became known after the start. The passages are ended on record; the run times count where this
   * run has measured none, and are told by `onLearned` together with what it has. Nothing moves by it.
   */
  recall(unfinished: readonly PassageId[], learned: LearnedRunTimes): void {
    if (!this.#running) return;
    for (const passage of unfinished) this.#endUnfinished(passage);
    this.#dispatch({ kind: 'run-times', times: learned });
  }

  /**
   * Ends watching and carries out the lane's last will: releases every output, raises the boom or holds the contact, as
   * `lastWill` says.
   * @returns whether the hardware has taken it; false, after a bounded time, where it did not
   */
  async stop(): Promise<boolean> {
    if (!this.#running) return true;
    this.#running = false;
    for (const end of this.#unsubscribe) end();
    this.#unsubscribe = [];
    this.#timer?.cancel();
    this.#inputsTimer?.cancel();
    for (const bound of this.#pulseBounds.values()) bound.cancel();
    this.#pulseBounds.clear();
    for (const settle of this.#waiting.values()) settle({ outcome: 'failed', reason: 'lane-stopped' });
    this.#waiting.clear();
    return await this.#carryOutWill();
  }

  /** A report of vision about one plate in this lane's picture. */
  track(report: TrackInput): void {
    this.#tellDiagnosis({ kind: 'track', report });
    this.#dispatch({ kind: 'track', report });
  }

  /** Whether plates can be read at all; without, a vehicle is decided without a plate at once. */
  visionAvailable(available: boolean): void {
    this.#tellDiagnosis({ kind: 'vision', available });
    this.#dispatch({ kind: 'vision', available });
  }

  /** A window in which the schedule holds the boom open has begun or ended. */
  schedule(hold: boolean): void {
    this.#dispatch({ kind: 'schedule', hold });
  }

  /**
   * Orders the lane. Resolves when the target was reached, or with the reason why not; never rejects. Expiry, signatures
   * and retained messages are the caller's to check.
   */
  command(command: LaneCommand): Promise<CommandOutcome> {
    if (!this.#running) return Promise.resolve({ outcome: 'refused', reason: 'lane-stopped' });
    const ticket = (this.#ticket += 1);
    return new Promise((resolve) => {
      this.#waiting.set(ticket, resolve);
      this.#dispatch({ kind: 'command', ticket, command });
    });
  }

  /**
   * Begins a movement that lasts only while it is renewed within `RENEW_WITHIN_MS`, again and again. Resolves at once,
   * `done` where it has begun; never rejects.
   */
  supervise(order: SupervisedOrder): Promise<CommandOutcome> {
    if (!this.#running) return Promise.resolve({ outcome: 'refused', reason: 'lane-stopped' });
    const ticket = (this.#ticket += 1);
    return new Promise((resolve) => {
      this.#waiting.set(ticket, resolve);
      this.#dispatch({ kind: 'supervise', ticket, order });
    });
  }

  /** The operator still holds. */
  renew(session: string): SupervisionView {
    this.#dispatch({ kind: 'supervise-renew', session });
    return this.#supervision(session);
  }

  /** The operator let go. */
  letGo(session: string): SupervisionView {
    this.#dispatch({ kind: 'supervise-end', session });
    return this.#supervision(session);
  }

  #supervision(session: string): SupervisionView {
    const { supervised, supervisionEnded } = this.#state;
    return { session, active: supervised?.session === session, ended: supervisionEnded?.session === session ? supervisionEnded.why : null };
  }

  /** The lane as it is now. */
  view(): LaneView {
    return viewOf(this.#state, this.#clock.monoMs(), (key) => this.#nameOf(key), this.#ports.diagnosis?.findings() ?? []);
  }

  // ---- inputs

  #watch(sensor: SensorName): void {
    const line = this.#ports.inputs[sensor];
    if (line === undefined) {
      this.#log.error({ lane: this.#settings.lane, sensor }, 'input is configured but not connected; it counts as unknown');
      return;
    }
    this.#unsubscribe.push(
      line.onChange((change) => {
        if (sensor === 'approach' && change.state === 'on') this.#noteApproach(change.atMs);
        this.#tellDiagnosis({ kind: 'sensor', sensor, state: change.state, atMs: change.atMs });
        this.#dispatch({ kind: 'sensor', sensor, state: change.state });
        this.#noteInputsRead();
      }),
    );
    if (sensor === 'approach' && line.state() === 'on') this.#noteApproach(this.#clock.monoMs());
    this.#tellDiagnosis({ kind: 'sensor', sensor, state: line.state(), atMs: this.#clock.monoMs() });
    this.#dispatch({ kind: 'sensor', sensor, state: line.state() });
  }

  /** What the contacts are found as, where nobody of this run has driven them. */
  #findOn(): void {
    for (const output of CONTACTS) if (this.#ports.outputs[output]?.state() === 'on') this.#dispatch({ kind: 'output-found-on', output });
  }

  #watchRelays(): void {
    const { relays } = this.#ports;
    if (relays === undefined) return;
    const tell = (): void => {
      const available = relays.available();
      if (available && !this.#state.relayAvailable) this.#findOn();
      this.#dispatch({ kind: 'relay', available, detail: relays.detail() });
    };
    this.#unsubscribe.push(relays.onChange(tell));
    tell();
  }

  #noteInputsRead(): void {
    if (this.#state.started) return;
    if (this.#settings.sensors.some((sensor) => this.#state.sensors[sensor]?.state === 'unknown')) return;
    this.#inputsTimer?.cancel();
    this.#dispatch({ kind: 'inputs-read' });
  }

  #noteApproach(atMs: number): void {
    this.#approachEdgeMs = atMs;
    this.#decidedMs = null;
  }

  // ---- the last will

  #will(): WillReport {
    return { will: lastWill(this.#state), watch: watchOf(this.#state), closeOffMs: closeOffMs(this.#state) };
  }

  #tellWill(): void {
    const report = this.#will();
    const told = this.#told;
    if (told?.will === report.will && told.watch === report.watch && told.closeOffMs === report.closeOffMs) return;
    this.#told = report;
    this.#guard('onLastWill', () => this.#ports.onLastWill?.(report));
  }

  async #carryOutWill(): Promise<boolean> {
    const { lane, pulseMs, deadTimeMs } = this.#settings;
    const { open, ...more } = this.#ports.outputs;
    const others = Object.values(more).filter((line) => line !== more.close);
    const { will, closeOffMs: offMs } = this.#will();
    return await new Promise<boolean>((resolve) => {
      const failed = (error: unknown): void => {
        this.#log.error({ lane, will, error: errorText(error) }, 'the outputs could not be put in their last state at the stop');
        resolve(false);
      };
      const limitMs = will === 'release' ? STOP_WAIT_MS : 2 * STOP_WAIT_MS + deadTimeMs + pulseMs;
      const timer = this.#clock.after(limitMs, () => failed('the hardware did not take it in time'));
      const work = open === undefined ? Promise.all(others.map((line) => line.release())) : carryOut(will, { open, close: more.close, others }, { pulseMs, deadTimeMs, closeOffMs: offMs }, this.#clock);
      work.then(() => resolve(true), failed).finally(() => timer.cancel());
    });
  }

  // ---- the reducer

  #dispatch(input: LaneInput): void {
    if (!this.#running) return;
    this.#queue.push(input);
    if (this.#reducing) return;
    this.#reducing = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const input = next;
      this.#guard('reduce', () => {
        const { state, effects } = reduce(this.#state, input, this.#clock.monoMs());
        this.#state = state;
        // Before anything is driven: whoever outlives this process must not find an older will.
        this.#tellWill();
        // One effect that fails (a port that throws) must not take the next ones with it.
        for (const effect of effects) this.#guard(effect.kind, () => this.#perform(effect));
      });
    }
    this.#reducing = false;
    this.#tellDiagnosis({ kind: 'boom', boom: this.#state.boom.state });
    this.#armTimer();
    this.#guard('onView', () => this.#ports.onView(this.view()));
  }

  /** The diagnosis watches beside the lane; what it cannot take stops nothing. */
  #tellDiagnosis(sign: LaneSign): void {
    if (this.#running) this.#guard('diagnosis', () => this.#ports.diagnosis?.tell(sign));
  }

  #armTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const nowMs = this.#clock.monoMs();
    const dueMs = nextDueMs(this.#state, nowMs);
    if (dueMs !== null) this.#timer = this.#clock.after(Math.ceil(dueMs - nowMs), () => this.#dispatch({ kind: 'tick' }));
  }

  #perform(effect: LaneEffect): void {
    switch (effect.kind) {
      case 'journal':
        this.#record(this.#named(effect.event), effect.token);
        break;
      case 'drive':
        this.#drive(effect);
        break;
      case 'decide':
        this.#decide(effect);
        break;
      case 'photograph':
        this.#ports.photograph(effect.passage === null ? null : this.#nameOf(effect.passage), effect.reason);
        break;
      case 'show':
        this.#ports.show(effect.message);
        break;
      case 'lamp':
        this.#showLamp(effect.show);
        break;
      case 'learned':
        this.#ports.onLearned?.(effect.times);
        break;
      case 'reply':
        this.#waiting.get(effect.ticket)?.({ outcome: effect.outcome, reason: effect.reason });
        this.#waiting.delete(effect.ticket);
        break;
      case 'passage-ended': {
        const { passage, end, plate, decision, clearedBy, durationMs, detail } = effect;
        const { lane, direction } = this.#settings;
        const id = this.#nameOf(passage);
        this.#names.delete(passage);
        this.#ports.onPassageEnd({ id, lane, direction, end, plate, decision, clearedBy, durationMs, detail });
        break;
      }
    }
  }

  #named(event: LaneEvent): LaneEvent {
    return event.passage === undefined ? event : { ...event, passage: this.#nameOf(event.passage) };
  }

  #nameOf(key: string): PassageId {
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const id = this.#ports.newPassageId();
    this.#names.set(key, id);
    return id;
  }

  #guard(port: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#log.error({ lane: this.#settings.lane, port, error: errorText(error) }, 'a port of the lane failed');
    }
  }

  // ---- record

  #record(event: LaneEvent, token: number | null): void {
    this.#append(event).then(
      () => {
        if (token !== null) this.#dispatch({ kind: 'recorded', token, durable: true });
      },
      (error: unknown) => {
        this.#log.error({ lane: this.#settings.lane, type: event.type, error: errorText(error) }, 'event not journalled');
        if (token !== null) this.#dispatch({ kind: 'recorded', token, durable: false });
      },
    );
  }

  /** A journal that throws instead of rejecting is treated the same. */
  async #append(event: LaneEvent): Promise<void> {
    await this.#ports.journal.append(event);
  }

  #endUnfinished(passage: PassageId): void {
    this.#record({ type: 'passage.ended', passage, payload: { end: 'unfinished', detail: 'restart' } }, null);
    const { lane, direction } = this.#settings;
    this.#guard('onPassageEnd', () =>
      this.#ports.onPassageEnd({ id: passage, lane, direction, end: 'unfinished', plate: null, decision: null, clearedBy: null, durationMs: 0, detail: 'restart' }),
    );
  }

  // ---- decisions

  #decide(effect: Extract<LaneEffect, { kind: 'decide' }>): void {
    const { request, plate } = effect;
    const passage = effect.passage === null ? null : this.#nameOf(effect.passage);
    const failed = (error: unknown): void => {
      this.#log.error({ lane: this.#settings.lane, error: errorText(error) }, 'no decision');
      this.#dispatch({ kind: 'decision-failed', request });
    };
    try {
      const answer = this.#ports.decide({ laneId: this.#settings.lane, direction: this.#settings.direction, passage, plate });
      if (!(answer instanceof Promise)) {
        this.#answer(request, answer, passage !== null);
        return;
      }
      answer.then((decision) => this.#answer(request, decision, passage !== null)).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  #answer(request: number, decision: Awaited<ReturnType<LanePorts['decide']>>, arrived: boolean): void {
    if (arrived) this.#decidedMs = this.#clock.monoMs();
    this.#dispatch({ kind: 'decision', request, decision });
  }

  // ---- outputs

  #drive(effect: DriveEffect): void {
    const { output, action, durationMs } = effect;
    this.#pulseBounds.get(output)?.cancel();
    this.#pulseBounds.delete(output);
    if (action === 'pulse') {
      this.#pulseBounds.set(
        output,
        this.#clock.after(durationMs + PULSE_GRACE_MS, () => this.#order(output, 'release', (line) => line.release())),
      );
    }
    this.#order(output, action, (line) => (action === 'pulse' ? line.pulse(durationMs) : action === 'hold' ? line.hold() : line.release()));
    if (output === 'open' && action !== 'release' && effect.cause.kind === 'decision') this.#measure();
  }

  #order(output: ContactName, action: DriveAction, order: (line: DigitalOutput) => Promise<void>): void {
    this.#give(output, order).then(
      () => {
        if (this.#faulty.delete(output)) this.#dispatch({ kind: 'output-ok', output });
      },
      (error: unknown) => {
        this.#faulty.add(output);
        this.#log.error({ lane: this.#settings.lane, output, action, error: errorText(error) }, 'output did not take its order');
        this.#dispatch({ kind: 'output-fault', output, action, detail: errorText(error) });
      },
    );
  }

  /** One lamp goes out before the other comes on; of several orders in a row the last one counts. */
  #showLamp(show: Lamp): void {
    this.#lampWanted = show;
    const [on, off]: readonly [LampName, LampName] = show === 'green' ? ['greenLight', 'redLight'] : ['redLight', 'greenLight'];
    this.#lamp = this.#lamp.then(async () => {
      if (this.#lampWanted !== show || !this.#running) return;
      try {
        await this.#ports.outputs[off]?.release();
        await this.#ports.outputs[on]?.hold();
        this.#dispatch({ kind: 'lamp', works: true, detail: '' });
      } catch (error) {
        this.#log.error({ lane: this.#settings.lane, lamp: show, error: errorText(error) }, 'the traffic light did not take its order');
        this.#dispatch({ kind: 'lamp', works: false, detail: errorText(error) });
      }
    });
  }

  async #give(output: OutputName, order: (line: DigitalOutput) => Promise<void>): Promise<void> {
    const line = this.#ports.outputs[output];
    if (line === undefined) throw new GateError('DEVICE_LINE_INVALID', `output ${output} of lane ${this.#settings.lane} is not connected; check barrier.${output}`);
    await order(line);
  }

  #measure(): void {
    if (this.#approachEdgeMs === null) return;
    const fromMs = Math.max(this.#approachEdgeMs, this.#decidedMs ?? 0);
    const measure = { loopToRelayMs: this.#clock.monoMs() - fromMs, warm: this.#decidedMs === null };
    this.#approachEdgeMs = null;
    this.#guard('onMeasure', () => this.#ports.onMeasure?.(measure));
  }
}
