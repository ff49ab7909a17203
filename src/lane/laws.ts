import type { SignalState } from '../base/index.js';
import type { DriveEffect, LaneEffect } from './effect.js';
import type { LaneInput } from './input.js';
import type { LaneSettings } from './settings.js';
import type { ContactName, LaneCommand, SensorName } from './types.js';

export type LawName = 'S1' | 'S2' | 'S3' | 'S4' | 'S5' | 'S6' | 'S7' | 'S9' | 'barrier-closes' | 'lamp';

export interface Violation {
  readonly law: LawName;
  readonly atMs: number;
  readonly what: string;
}

/** All a watch remembers: plain data, so that a watch can be copied and two of them compared. Times are monotonic, ms. */
export interface LawMemory {
  readonly sensors: Readonly<Partial<Record<SensorName, SignalState>>>;
  /** Until when each contact is energised; Infinity while held. */
  readonly onUntilMs: Readonly<Partial<Record<ContactName, number>>>;
  /** Commands that were not refused. */
  readonly acted: readonly string[];
  readonly causes: readonly string[];
  readonly started: boolean;
  readonly stopInput: boolean;
  readonly stopCommand: boolean;
  readonly fireInput: boolean;
  readonly fireCommand: boolean;
  /** The boom may be going down until here. */
  readonly fallsUntilMs: number;
  /** An opening has to be driven by here, and why. */
  readonly raiseByMs: { readonly byMs: number; readonly law: LawName } | null;
  /** Something came under the boom in this descent: flicker of a sensor is one obstruction. */
  readonly hitInRun: boolean;
  /** Descents with an obstruction since one ended well or a movement was last intended (S6). */
  readonly hits: number;
  /** An output has failed: deadlines no longer hold, what may be driven still does. */
  readonly faulty: boolean;
  /** Ordered up, or seen at the open limit, and not ordered down since. */
  readonly raised: boolean;
  /**
   * The STOP contact came on after the open contact, or the rise is on record as failed and the limit switches bear it out:
   * a board that is held up rises at the next edge only.
   */
  readonly halted: boolean;
  /** An operator holds the boom on its way down, and until when that counts without being renewed. */
  readonly heldDown: { readonly session: string; readonly byMs: number } | null;
  /** An operator held the last descent, from its beginning or from the middle: once he does not, it has to end in a rise, even under STOP. */
  readonly operatorLowers: boolean;
}

/** Longest a safe reaction may take beyond the dead time and the pause between tries. */
const REACTION_MS = 60;
const CAUSES_KEPT = 20;
/** An operator who holds a movement has to say so at least this often. */
const HELD_MS = 500;

/**
 * Watches a lane from outside, by its inputs and effects alone, and says where a law of design.md §3 was broken. Shares no
 * code with the reducer on purpose: it is the second opinion of the tests and of the fault campaign.
 */
export class LawWatch {
  readonly violations: Violation[] = [];
  readonly #settings: LaneSettings;
  #memory: LawMemory;

  /** @param memory what an earlier watch of the same lane remembered; nothing where omitted */
  constructor(settings: LaneSettings, memory?: LawMemory) {
    this.#settings = settings;
    this.#memory = memory ?? {
      sensors: Object.fromEntries(settings.sensors.map((sensor) => [sensor, 'unknown' as const])),
      onUntilMs: {},
      acted: [],
      causes: [],
      started: false,
      stopInput: false,
      stopCommand: false,
      fireInput: false,
      fireCommand: false,
      fallsUntilMs: -Infinity,
      raiseByMs: null,
      hitInRun: false,
      hits: 0,
      faulty: false,
      raised: false,
      halted: false,
      heldDown: null,
      operatorLowers: false,
    };
  }

  get memory(): LawMemory {
    return this.#memory;
  }

  /** To be called with every input and the effects it had, in order. */
  observe(input: LaneInput, effects: readonly LaneEffect[], nowMs: number): void {
    this.#lapse(nowMs);
    this.#overdue(nowMs);
    const { settleMs, sensors } = this.#settings;
    // Where no switch tells, it is down when its time to go down is over.
    if (!sensors.includes('closedLimit') && nowMs >= this.#memory.fallsUntilMs + settleMs) this.#landed();
    const refused = effects.some((effect) => effect.kind === 'reply' && effect.outcome === 'refused');
    if ((input.kind !== 'command' && input.kind !== 'supervise') || !refused) this.#input(input, nowMs);
    for (const effect of effects) this.#effect(effect, nowMs);
  }

  #note(change: Partial<LawMemory>): void {
    this.#memory = { ...this.#memory, ...change };
  }

  #break(law: LawName, atMs: number, what: string): void {
    this.violations.push({ law, atMs, what });
  }

  #clear(): boolean {
    return (['closing', 'beam'] as const).every((sensor) => (this.#memory.sensors[sensor] ?? 'off') === 'off');
  }

  #stopped(): boolean {
    return this.#memory.stopInput || this.#memory.stopCommand;
  }

  #fire(): boolean {
    return this.#memory.fireInput || this.#memory.fireCommand;
  }

  #holds(): boolean {
    return this.#settings.drive === 'hold-to-open';
  }

  #isOn(output: ContactName, nowMs: number): boolean {
    return (this.#memory.onUntilMs[output] ?? -Infinity) > nowMs;
  }

  #overdue(nowMs: number): void {
    const { raiseByMs } = this.#memory;
    if (raiseByMs === null || nowMs <= raiseByMs.byMs) return;
    this.#break(raiseByMs.law, nowMs, `boom not raised by ${raiseByMs.byMs}`);
    this.#note({ raiseByMs: null });
  }

  #mustRaise(law: LawName, nowMs: number): void {
    const { raiseByMs, faulty, sensors, halted } = this.#memory;
    const waitMs = Math.max(this.#settings.deadTimeMs, halted ? this.#settings.newEdgeMs : 0);
    const up = law === 'S4' && sensors.openLimit === 'on';
    if (raiseByMs === null && !faulty && !up) this.#note({ raiseByMs: { byMs: nowMs + waitMs + REACTION_MS, law } });
  }

  #forgive(law: LawName): void {
    if (this.#memory.raiseByMs?.law === law) this.#note({ raiseByMs: null });
  }

  #input(input: LaneInput, nowMs: number): void {
    switch (input.kind) {
      case 'inputs-read':
        this.#note({ started: true });
        if (this.#fire() && !this.#stopped()) this.#mustRaise('S4', nowMs);
        break;
      case 'sensor':
        this.#sensor(input.sensor, input.state, nowMs);
        break;
      case 'command':
        this.#command(input.command, nowMs);
        break;
      // A vehicle let through anew is an intended input, and so is the morning rush.
      case 'decision':
        if (input.decision.outcome === 'admit') this.#note({ hits: 0 });
        break;
      case 'supervise':
        this.#intended();
        if (input.order.direction === 'close') this.#note({ operatorLowers: true, heldDown: { session: input.order.session, byMs: nowMs + HELD_MS } });
        break;
      case 'supervise-renew':
        if (this.#memory.heldDown?.session === input.session) this.#note({ heldDown: { session: input.session, byMs: nowMs + HELD_MS } });
        break;
      case 'supervise-end':
        if (this.#memory.heldDown?.session === input.session) this.#alone(nowMs);
        break;
      case 'schedule':
        if (input.hold) this.#note({ hits: 0 });
        break;
      case 'output-found-on':
        this.#foundOn(input.output, nowMs);
        break;
      case 'output-fault':
        this.#note({ faulty: true, raiseByMs: null });
        break;
      case 'relay':
        if (!input.available) this.#note({ faulty: true, raiseByMs: null });
        break;
      default:
        break;
    }
  }

  /** Held by whoever outlived the last run of this lane, or the rest of a pulse. */
  #foundOn(output: ContactName, nowMs: number): void {
    if (this.#isOn(output, nowMs)) return;
    const held = output === 'open' && (this.#holds() || this.#settings.closing === 'barrier-closes');
    const untilMs = held ? Infinity : nowMs + this.#settings.pulseMs;
    this.#note({ onUntilMs: { ...this.#memory.onUntilMs, [output]: untilMs }, raised: this.#memory.raised || output === 'open' });
  }

  /** The exception to S1: an operator holds the closing. Not renewed in time, it is over. */
  #lapse(nowMs: number): void {
    const { heldDown } = this.#memory;
    if (heldDown !== null && nowMs >= heldDown.byMs) this.#alone(heldDown.byMs);
  }

  /** A boom that goes down and is held by nobody any more has to rise, whatever is under it. */
  #alone(nowMs: number): void {
    if (this.#memory.heldDown === null) return;
    this.#note({ heldDown: null });
    if (nowMs < this.#memory.fallsUntilMs) this.#mustRaise('S1', nowMs);
  }

  #command({ id, target }: LaneCommand, nowMs: number): void {
    if (this.#memory.acted.includes(id)) this.#break('S7', nowMs, `command ${id} accepted twice`);
    this.#note({ acted: [...this.#memory.acted, id] });
    this.#alone(nowMs);
    if (target === 'stop') {
      this.#stopNow('command');
      return;
    }
    this.#intended();
    if (target === 'fire') this.#note({ fireCommand: true });
    if (target === 'fire-over') this.#note({ fireCommand: false });
    this.#minds(nowMs);
  }

  /** Fire in force and the boom not up: it has to rise now; fire over: it need not. */
  #minds(nowMs: number): void {
    const { started, raised } = this.#memory;
    if (this.#fire()) this.#alone(nowMs);
    if (!this.#fire()) this.#forgive('S4');
    else if (started && !this.#stopped() && !raised) this.#mustRaise('S4', nowMs);
  }

  #intended(): void {
    this.#note({ stopCommand: false, hits: 0 });
  }

  #stopNow(by: 'input' | 'command'): void {
    this.#note(by === 'input' ? { stopInput: true } : { stopCommand: true });
    if (this.#settings.outputs.includes('stop')) this.#note({ fallsUntilMs: -Infinity, raiseByMs: null });
    else this.#forgive('S4');
  }

  #sensor(sensor: SensorName, state: SignalState, nowMs: number): void {
    const before = this.#memory.sensors[sensor];
    if (before === undefined || before === state) return;
    this.#note({ sensors: { ...this.#memory.sensors, [sensor]: state } });
    const known = state === 'on' || state === 'off';
    if (sensor === 'stop' && known) {
      if (state === 'on') {
        this.#alone(nowMs);
        this.#stopNow('input');
      }
      else this.#note({ stopInput: false });
    }
    if (sensor === 'fire' && known) this.#note({ fireInput: state === 'on' });
    if (sensor === 'openLimit' && state === 'on' && this.#memory.sensors.closedLimit !== 'on') this.#note({ raised: true, halted: false });
    this.#minds(nowMs);
    if (sensor === 'button' && state === 'on' && before === 'off' && this.#memory.started && !this.#memory.stopInput) {
      this.#alone(nowMs);
      this.#intended();
    }
    if (sensor === 'closedLimit' && state === 'on' && this.#memory.sensors.openLimit !== 'on') this.#landed();
    if (!this.#clear() && !this.#memory.hitInRun && this.#memory.heldDown === null && nowMs < this.#memory.fallsUntilMs) this.#hit(nowMs);
  }

  /** Nothing came under it all the way down: that closing is over, and what comes under the next one is its first. */
  #landed(): void {
    const { fallsUntilMs, hitInRun, hits } = this.#memory;
    this.#note({ fallsUntilMs: -Infinity, hits: fallsUntilMs > -Infinity && !hitInRun ? 0 : hits });
  }

  #hit(nowMs: number): void {
    this.#note({ hitInRun: true, hits: this.#memory.hits + 1 });
    this.#mustRaise('S1', nowMs);
  }

  #effect(effect: LaneEffect, nowMs: number): void {
    if (effect.kind === 'journal') {
      const { type, payload } = effect.event;
      const { cause, supervised, why, output } = payload;
      if (type === 'boom.fault' && output === undefined) this.#failed(nowMs);
      // The boom has arrived: it is not held any more, and does not fall. Any other end is one.
      if (supervised === 'close' && why === 'done') this.#note({ heldDown: null });
      else if (supervised === 'close') this.#alone(nowMs);
      if (cause !== undefined) this.#note({ causes: [...this.#memory.causes.slice(1 - CAUSES_KEPT), JSON.stringify(cause)] });
    } else if (effect.kind === 'drive') this.#drive(effect, nowMs);
    else if (effect.kind === 'lamp') this.#lamp(effect.show, nowMs);
  }

  /** A rise that failed, as far as the limit switches do not say otherwise, leaves a boom that is held as STOP does. */
  #failed(nowMs: number): void {
    const { openLimit, closedLimit } = this.#memory.sensors;
    const notUp = openLimit === 'off' || (closedLimit === 'on' && openLimit !== 'on');
    if (this.#holds() && this.#isOn('open', nowMs) && notUp) this.#note({ halted: true });
  }

  #lamp(show: 'green' | 'red', nowMs: number): void {
    const { started, raised, sensors } = this.#memory;
    if (!started) this.#break('S5', nowMs, 'a lamp switched before the inputs were read');
    if (show !== 'green') return;
    if (this.#stopped()) this.#break('lamp', nowMs, 'green under STOP');
    if (!raised && sensors.openLimit !== 'on') this.#break('lamp', nowMs, 'green under a boom that is not up');
  }

  #drive(effect: DriveEffect, nowMs: number): void {
    const { output, action, durationMs } = effect;
    const lowers = action === 'release' && output === 'open' && this.#holds() && this.#isOn('open', nowMs);
    if (!this.#memory.started && action !== 'release') this.#break('S5', nowMs, `${output} driven before the inputs were read`);
    if (action !== 'release' || lowers) {
      if (!this.#memory.causes.includes(JSON.stringify(effect.cause))) this.#break('S9', nowMs, `${output} driven without a cause on record`);
    }
    if (action === 'release') {
      const until = Math.min(nowMs, this.#memory.onUntilMs[output] ?? nowMs);
      this.#note({ onUntilMs: { ...this.#memory.onUntilMs, [output]: until } });
      if (lowers) this.#down(nowMs);
      return;
    }
    if (action === 'pulse' && (durationMs <= 0 || durationMs > 2_000)) this.#break('S3', nowMs, `${output} pulse of ${durationMs} ms`);
    const mayHold = output === 'open' && (this.#holds() || this.#settings.closing === 'barrier-closes');
    if (action === 'hold' && !mayHold) this.#break('S3', nowMs, `${output} held`);
    if (action === 'pulse' && output === 'open' && this.#holds()) this.#break('S3', nowMs, 'a pulse where the contact has to hold the boom up');
    this.#note({ onUntilMs: { ...this.#memory.onUntilMs, [output]: action === 'hold' ? Infinity : nowMs + durationMs } });
    if (output === 'open') this.#up(effect, nowMs);
    if (output === 'stop') this.#note({ halted: this.#holds() });
    if (output === 'close') {
      this.#apart('open', nowMs);
      if (this.#settings.closing === 'barrier-closes' || this.#holds()) this.#break('barrier-closes', nowMs, 'the gateway drove the close contact');
      this.#down(nowMs);
    }
  }

  #apart(opposite: ContactName, nowMs: number): void {
    if (this.#isOn(opposite, nowMs - this.#settings.deadTimeMs)) this.#break('S2', nowMs, `${opposite} contact on, or off for less than the dead time`);
  }

  #up(effect: DriveEffect, nowMs: number): void {
    this.#apart('close', nowMs);
    if (this.#stopped() && !this.#endsDescent(effect)) this.#break('S4', nowMs, 'opened under STOP');
    this.#note({ fallsUntilMs: -Infinity, raiseByMs: null, raised: true, halted: false });
  }

  /**
   * S1 stands before STOP: where no STOP contact holds the boom, the open contact alone ends a descent onto something, or
   * one that its operator lowered past loops and beam and holds no more.
   */
  #endsDescent({ cause }: DriveEffect): boolean {
    const { operatorLowers, heldDown } = this.#memory;
    if (cause.kind === 'obstruction') return true;
    return cause.kind === 'operator' && operatorLowers && heldDown === null && !this.#settings.outputs.includes('stop');
  }

  /** The gateway lowers: by the close contact, or by letting go of an open contact that held the boom up. */
  #down(nowMs: number): void {
    this.#note({ raised: false });
    if (!this.#clear() && this.#memory.heldDown === null) this.#break('S1', nowMs, 'started down over something');
    if (this.#stopped()) this.#break('S4', nowMs, 'closed under STOP');
    // Let go of in a fire, a boom that STOP or a failed rise left half-way has to be held again at once.
    const edge = this.#fire() && this.#memory.halted;
    if (edge) this.#mustRaise('S4', nowMs);
    else if (this.#fire()) this.#break('S4', nowMs, 'closed during fire');
    if (this.#memory.hits >= 2 && !edge) this.#break('S6', nowMs, 'closed by itself after a second obstruction');
    this.#note({ fallsUntilMs: nowMs + this.#settings.closeTimeMs, hitInRun: false, operatorLowers: this.#memory.heldDown !== null });
  }
}
