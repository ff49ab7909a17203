import { plateRead } from './plates.js';
import type { Decision } from '../../src/access/index.js';
import type { JsonObject, SignalState } from '../../src/base/index.js';
import { LawWatch } from '../../src/lane/laws.js';
import { initialLane, laneSettings, nextDueMs, type CommandTarget, reduce, type LaneEffect, type LaneInput, type LaneSettings, type LaneSettingsSource, type LaneState, type SensorName, type TrackInput } from '../../src/lane/index.js';

/** Between two pictures of a camera at rest. */
const PICTURE_MS = 400;

export type Barrier = LaneSettingsSource['barrier'];

export interface Site {
  readonly direction?: 'entry' | 'exit';
  readonly barrier?: Partial<Barrier>;
  readonly sensors?: readonly SensorName[];
  readonly stopWired?: boolean;
  readonly settings?: Partial<LaneSettings>;
}

/** A lane's settings as a site would have them; loops are always wired. */
export function site(options: Site = {}): LaneSettings {
  const inputs: Partial<Record<SensorName, unknown>> = { approach: {}, closing: {} };
  for (const sensor of options.sensors ?? []) inputs[sensor] = {};
  const source: LaneSettingsSource = {
    id: 'entry',
    name: 'East gate',
    direction: options.direction ?? 'entry',
    barrier: {
      closing: 'gateway-closes',
      pulseMs: 400,
      deadTimeMs: 500,
      openTimeMs: 3_000,
      closeTimeMs: 3_000,
      runWatchdogMs: 10_000,
      closeDelayMs: 1_000,
      autoCloseMs: 15_000,
      ...(options.barrier?.closing === 'barrier-closes' || options.barrier?.drive === 'hold-to-open' ? {} : { close: {} }),
      ...(options.stopWired === true ? { stop: {} } : {}),
      ...options.barrier,
    },
    inputs,
    readTimeoutMs: 4_000,
    earlyDecision: true,
  };
  return { ...laneSettings(source), ...options.settings };
}

export const admit: Decision = { outcome: 'admit', rule: 'resident', visitorClass: 'resident' };
export const refuse: Decision = { outcome: 'refuse', rule: 'outside-refuse', visitorClass: 'outside' };
export const askPerson: Decision = { outcome: 'ask', rule: 'outside-ask', visitorClass: 'outside' };

export interface Logged {
  readonly atMs: number;
  readonly effect: LaneEffect;
}

/**
 * A lane on the bench: inputs by hand, time by hand, decisions from a table, a journal that answers at once. The laws are
 * watched all the time and checked by `ok()`.
 */
export class Bench {
  readonly settings: LaneSettings;
  state: LaneState;
  nowMs = 1_000;
  readonly log: Logged[] = [];
  readonly laws: LawWatch;
  /** Plates that are let in; others are refused; `answers` goes before. */
  readonly residents = new Set<string>(['京A12345', '沪B67890']);
  answers: ((plate: string | null) => Decision | null) | null = null;
  journalAnswers = true;
  #ticket = 0;
  readonly #inView = new Map<string, TrackInput>();
  #pictureMs = 0;

  constructor(options: Site = {}) {
    this.settings = site(options);
    this.state = initialLane(this.settings, this.nowMs);
    this.laws = new LawWatch(this.settings);
  }

  /** Reads every wired input, all clear but for what is given, and lets the boom be known closed. */
  start(sensors: Partial<Record<SensorName, SignalState>> = {}): this {
    for (const sensor of this.settings.sensors) this.sensor(sensor, sensors[sensor] ?? 'off');
    this.input({ kind: 'inputs-read' });
    this.input({ kind: 'vision', available: true });
    return this;
  }

  /** Started, and the boom lowered for certain. */
  ready(sensors: Partial<Record<SensorName, SignalState>> = {}): this {
    this.start(sensors);
    this.pass(10_000);
    this.log.length = 0;
    return this;
  }

  input(input: LaneInput): this {
    const { state, effects } = reduce(this.state, input, this.nowMs);
    this.state = state;
    this.laws.observe(input, effects, this.nowMs);
    for (const effect of effects) this.log.push({ atMs: this.nowMs, effect });
    for (const effect of effects) {
      if (effect.kind === 'journal' && effect.token !== null && this.journalAnswers) this.input({ kind: 'recorded', token: effect.token, durable: true });
      if (effect.kind === 'decide') {
        const text = effect.plate?.text ?? null;
        const decision = this.answers === null ? (text !== null && this.residents.has(text) ? admit : refuse) : this.answers(text);
        if (decision !== null) this.input({ kind: 'decision', request: effect.request, decision });
      }
    }
    return this;
  }

  sensor(sensor: SensorName, state: SignalState): this {
    return this.input({ kind: 'sensor', sensor, state });
  }

  on(...sensors: readonly SensorName[]): this {
    for (const sensor of sensors) this.sensor(sensor, 'on');
    return this;
  }

  off(...sensors: readonly SensorName[]): this {
    for (const sensor of sensors) this.sensor(sensor, 'off');
    return this;
  }

  /** Vision reports what it sees with every picture, changed or not. */
  #picture(): void {
    this.#pictureMs = this.nowMs + PICTURE_MS;
    for (const report of this.#inView.values()) this.input({ kind: 'track', report: { ...report, seenAtMs: this.nowMs, readAtMs: this.nowMs } });
  }

  #see(report: TrackInput): this {
    if (report.ended) this.#inView.delete(report.track);
    else this.#inView.set(report.track, report);
    this.#pictureMs = this.nowMs + PICTURE_MS;
    return this.input({ kind: 'track', report });
  }

  /** Lets time pass, calling the reducer whenever it asked to be called. */
  pass(ms: number): this {
    const endMs = this.nowMs + ms;
    for (;;) {
      const dueMs = nextDueMs(this.state, this.nowMs);
      const pictureMs = this.#inView.size > 0 ? this.#pictureMs : null;
      const nextMs = Math.min(dueMs ?? Infinity, pictureMs ?? Infinity);
      if (nextMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      if (nextMs === dueMs) this.input({ kind: 'tick' });
      if (nextMs === pictureMs) this.#picture();
    }
    this.nowMs = endMs;
    return this;
  }

  /** A plate in the picture from now on, reported with every picture. */
  sees(track: string, text: string, more: { decisive?: boolean; stationary?: boolean; ended?: boolean; confidence?: number } = {}): this {
    const { decisive = true, stationary = false, ended = false, confidence = 0.99 } = more;
    return this.#see({ track, vote: plateRead(text, confidence), reads: 5, decisive, stationary, ended, seenAtMs: this.nowMs, readAtMs: this.nowMs });
  }

  /** One report of a recogniser that falls behind: of a picture taken `agoMs` ago, its plate last read in one of `readAgoMs` ago. */
  hearsLate(track: string, text: string, agoMs: number, more: { decisive?: boolean; ended?: boolean; readAgoMs?: number; width?: number } = {}): this {
    const { decisive = true, ended = false, readAgoMs = agoMs, width } = more;
    const report: TrackInput = { track, vote: plateRead(text), reads: 5, decisive, stationary: false, ended, seenAtMs: this.nowMs - agoMs, readAtMs: this.nowMs - readAgoMs, ...(width === undefined ? {} : { width }) };
    return this.input({ kind: 'track', report });
  }

  /** A plate in the picture, in parts of its width. */
  glimpses(track: string, width: number, text: string, { confidence = 0.99, ended = false } = {}): this {
    return this.#see({ track, vote: plateRead(text, confidence), reads: 5, decisive: confidence > 0.9, stationary: false, ended, width, seenAtMs: this.nowMs, readAtMs: this.nowMs });
  }

  command(target: CommandTarget, id = `c${String((this.#ticket += 1))}`): this {
    return this.input({ kind: 'command', ticket: (this.#ticket += 1), command: { id, target, issuer: 'web:guard', reason: 'test' } });
  }

  /** Outputs driven so far, as `open pulse`. */
  get drives(): readonly string[] {
    return this.log.flatMap(({ effect }) => (effect.kind === 'drive' ? [`${effect.output} ${effect.action}`] : []));
  }

  drivenAt(what: string): readonly number[] {
    return this.log.flatMap(({ atMs, effect }) => (effect.kind === 'drive' && `${effect.output} ${effect.action}` === what ? [atMs] : []));
  }

  causes(output: string): readonly string[] {
    return this.log.flatMap(({ effect }) => (effect.kind === 'drive' && effect.output === output && effect.action !== 'release' ? [effect.cause.kind] : []));
  }

  get ends(): readonly string[] {
    return this.log.flatMap(({ effect }) => (effect.kind === 'passage-ended' ? [effect.end] : []));
  }

  get endDetails(): readonly (string | null)[] {
    return this.log.flatMap(({ effect }) => (effect.kind === 'passage-ended' ? [effect.detail] : []));
  }

  get replies(): readonly string[] {
    return this.log.flatMap(({ effect }) => (effect.kind === 'reply' ? [effect.reason === null ? effect.outcome : `${effect.outcome} ${effect.reason}`] : []));
  }

  get shows(): readonly string[] {
    return this.log.flatMap(({ effect }) => (effect.kind === 'show' ? [effect.message.code] : []));
  }

  get photographs(): readonly string[] {
    return this.log.flatMap(({ effect }) => (effect.kind === 'photograph' ? [effect.reason] : []));
  }

  get decides(): readonly (string | null)[] {
    return this.log.flatMap(({ effect }) => (effect.kind === 'decide' ? [effect.plate?.text ?? null] : []));
  }

  events(type: string): readonly JsonObject[] {
    return this.log.flatMap(({ effect }) => (effect.kind === 'journal' && effect.event.type === type ? [effect.event.payload] : []));
  }

  get attention(): readonly string[] {
    return this.state.attention;
  }

  get boom(): string {
    return this.state.boom.state;
  }

  /** A car drives over both loops as cars do: approach, both, closing, clear. */
  driveThrough(): this {
    return this.on('closing').pass(800).off('approach').pass(800).off('closing');
  }
}
