import type { SignalState } from '../base/index.js';
import type { DriveEffect, LaneEffect } from './effect.js';
import type { LaneInput } from './input.js';
import type { LaneSettings } from './settings.js';
import type { OutputName, SensorName } from './types.js';

export type LawName = 'S1' | 'S2' | 'S3' | 'S4' | 'S5' | 'S6' | 'S7' | 'S9' | 'barrier-closes';

export interface Violation {
  readonly law: LawName;
  readonly atMs: number;
  readonly what: string;
}

/** Longest a safe reaction may take beyond the dead time and the pause between tries. */
const REACTION_MS = 60;

/**
 * Watches a lane from outside, by its inputs and effects alone, and says where a law of design.md §3 was broken. Shares no
 * code with the reducer on purpose: it is the second opinion of the tests and of the fault campaign.
 */
export class LawWatch {
  readonly violations: Violation[] = [];
  readonly #settings: LaneSettings;
  readonly #sensors = new Map<SensorName, SignalState>();
  /** Until when each contact is energised; Infinity while held. */
  readonly #onUntilMs = new Map<OutputName, number>();
  /** Commands that were not refused. */
  readonly #acted = new Set<string>();
  #causes: string[] = [];
  #started = false;
  #stopInput = false;
  #stopCommand = false;
  #fire = false;
  /** The boom may be going down until here. */
  #fallsUntilMs = -Infinity;
  /** An opening has to be driven by here, and why. */
  #raiseByMs: { readonly byMs: number; readonly law: LawName } | null = null;
  #obstructed = false;
  #hits = 0;
  #faulty = false;
  #raised = false;

  constructor(settings: LaneSettings) {
    this.#settings = settings;
    for (const sensor of settings.sensors) this.#sensors.set(sensor, 'unknown');
  }

  /** To be called with every input and the effects it had, in order. */
  observe(input: LaneInput, effects: readonly LaneEffect[], nowMs: number): void {
    this.#overdue(nowMs);
    const refused = effects.some((effect) => effect.kind === 'reply' && effect.outcome === 'refused');
    if (input.kind !== 'command' || !refused) this.#input(input, nowMs);
    for (const effect of effects) this.#effect(effect, nowMs);
  }

  #break(law: LawName, atMs: number, what: string): void {
    this.violations.push({ law, atMs, what });
  }

  #clear(): boolean {
    return (['closing', 'beam'] as const).every((sensor) => (this.#sensors.get(sensor) ?? 'off') === 'off');
  }

  #stopped(): boolean {
    return this.#stopInput || this.#stopCommand;
  }

  #isOn(output: OutputName, nowMs: number): boolean {
    return (this.#onUntilMs.get(output) ?? -Infinity) > nowMs;
  }

  #overdue(nowMs: number): void {
    if (this.#raiseByMs !== null && nowMs > this.#raiseByMs.byMs) {
      this.#break(this.#raiseByMs.law, nowMs, `boom not raised by ${this.#raiseByMs.byMs}`);
      this.#raiseByMs = null;
    }
  }

  #mustRaise(law: LawName, nowMs: number): void {
    const up = law === 'S4' && this.#sensors.get('openLimit') === 'on';
    if (this.#raiseByMs === null && !this.#faulty && !up) this.#raiseByMs = { byMs: nowMs + this.#settings.deadTimeMs + REACTION_MS, law };
  }

  #input(input: LaneInput, nowMs: number): void {
    switch (input.kind) {
      case 'inputs-read':
        this.#started = true;
        if (this.#fire && !this.#stopped()) this.#mustRaise('S4', nowMs);
        break;
      case 'sensor':
        this.#sensor(input.sensor, input.state, nowMs);
        break;
      case 'command':
        if (this.#acted.has(input.command.id)) this.#break('S7', nowMs, `command ${input.command.id} accepted twice`);
        this.#acted.add(input.command.id);
        if (input.command.target === 'stop') this.#stopNow('command');
        else this.#intended();
        break;
      case 'output-fault':
        // Deadlines no longer hold; what may be driven still does.
        this.#faulty = true;
        this.#raiseByMs = null;
        break;
      default:
        break;
    }
  }

  #intended(): void {
    this.#stopCommand = false;
    this.#hits = 0;
  }

  #stopNow(by: 'input' | 'command'): void {
    if (by === 'input') this.#stopInput = true;
    else this.#stopCommand = true;
    if (this.#settings.outputs.includes('stop')) {
      this.#fallsUntilMs = -Infinity;
      this.#raiseByMs = null;
    } else if (this.#raiseByMs?.law === 'S4') this.#raiseByMs = null;
  }

  #sensor(sensor: SensorName, state: SignalState, nowMs: number): void {
    const before = this.#sensors.get(sensor);
    if (before === undefined || before === state) return;
    this.#sensors.set(sensor, state);
    const known = state === 'on' || state === 'off';
    if (sensor === 'stop' && known) {
      if (state === 'on') this.#stopNow('input');
      else this.#stopInput = false;
    }
    if (sensor === 'fire' && known) {
      this.#fire = state === 'on';
      if (!this.#fire && this.#raiseByMs?.law === 'S4') this.#raiseByMs = null;
    }
    if (this.#fire && this.#started && !this.#stopped() && !this.#raised) this.#mustRaise('S4', nowMs);
    if (sensor === 'button' && state === 'on' && before === 'off' && this.#started && !this.#stopInput) this.#intended();
    if (sensor === 'closedLimit' && state === 'on' && this.#sensors.get('openLimit') !== 'on') this.#fallsUntilMs = -Infinity;
    if (this.#clear()) this.#obstructed = false;
    else if (!this.#obstructed && nowMs < this.#fallsUntilMs) this.#hit(nowMs);
  }

  #hit(nowMs: number): void {
    this.#obstructed = true;
    this.#hits += 1;
    this.#mustRaise('S1', nowMs);
  }

  #effect(effect: LaneEffect, nowMs: number): void {
    if (effect.kind === 'journal') {
      const { cause } = effect.event.payload;
      if (cause !== undefined) this.#causes = [...this.#causes.slice(-20), JSON.stringify(cause)];
    } else if (effect.kind === 'drive') this.#drive(effect, nowMs);
  }

  #drive(effect: DriveEffect, nowMs: number): void {
    const { output, action, durationMs } = effect;
    if (action === 'release') {
      this.#onUntilMs.set(output, Math.min(nowMs, this.#onUntilMs.get(output) ?? nowMs));
      return;
    }
    if (!this.#started) this.#break('S5', nowMs, `${output} driven before the inputs were read`);
    if (!this.#causes.includes(JSON.stringify(effect.cause))) this.#break('S9', nowMs, `${output} driven without a cause on record`);
    if (action === 'pulse' && (durationMs <= 0 || durationMs > 2_000)) this.#break('S3', nowMs, `${output} pulse of ${durationMs} ms`);
    if (action === 'hold' && (output !== 'open' || this.#settings.closing !== 'barrier-closes')) this.#break('S3', nowMs, `${output} held`);
    this.#onUntilMs.set(output, action === 'hold' ? Infinity : nowMs + durationMs);
    if (output === 'open') this.#open(effect, nowMs);
    if (output === 'close') this.#close(nowMs);
  }

  #apart(opposite: OutputName, nowMs: number): void {
    if (this.#isOn(opposite, nowMs - this.#settings.deadTimeMs)) this.#break('S2', nowMs, `${opposite} contact on, or off for less than the dead time`);
  }

  #open(effect: DriveEffect, nowMs: number): void {
    this.#apart('close', nowMs);
    if (this.#stopped() && effect.cause.kind !== 'obstruction') this.#break('S4', nowMs, 'opened under STOP');
    // A vehicle let through anew is an intended input.
    if (effect.cause.kind === 'decision') this.#hits = 0;
    this.#fallsUntilMs = -Infinity;
    this.#raiseByMs = null;
    this.#raised = true;
  }

  #close(nowMs: number): void {
    this.#apart('open', nowMs);
    this.#raised = false;
    if (this.#settings.closing === 'barrier-closes') this.#break('barrier-closes', nowMs, 'the gateway drove the close contact');
    if (!this.#clear()) this.#break('S1', nowMs, 'started down over something');
    if (this.#stopped()) this.#break('S4', nowMs, 'closed under STOP');
    if (this.#fire) this.#break('S4', nowMs, 'closed during fire');
    if (this.#hits >= 2) this.#break('S6', nowMs, 'closed by itself after a second obstruction');
    this.#fallsUntilMs = nowMs + this.#settings.closeTimeMs;
  }
}
