import type { CommandOutcome, CommandTarget, LaneView } from '../../../src/lane/index.js';
import type { Stage } from './breakage.js';
import { touches } from './kinds.js';
import type { PlannedFault } from './plan.js';

/** What needs a person to look, and to send the boom where it belongs. */
const callsForPerson: ReadonlySet<string> = new Set(['second-obstruction', 'boom-fault', 'fail-state', 'tailgater']);
const personAnswersMs = 8_000;
/** How long after a fault its consequences may last. */
const aftermathMs = 6_000;
/** What a board that closes by itself may need beyond the lane's own patience. */
const boardTakesMs = 10_000;
const repliedWithinMs = 60_000;

/** The person in charge: answers calls for help, and watches that the boom does what it must. */
export class Watch {
  readonly violations: string[] = [];
  readonly #stage: Stage;
  readonly #history: { readonly fault: PlannedFault; readonly atMs: number }[] = [];
  #emptySinceMs = 0;
  #askedMs = -1e9;
  #reportedOpen = false;
  #fireSinceMs: number | undefined;
  #upsetUntilMs = 0;
  #stopOrdered = false;
  #stopBefore = false;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** Something was broken, or ordered, just now. */
  note(fault: PlannedFault): void {
    this.#history.push({ fault, atMs: this.#stage.nowMs });
    const touched = touches(fault.kind);
    const upsets = touched === 'inputs' || touched === 'outputs' || touched === 'motor' || touched === 'gateway' || fault.kind.endsWith('-flicker');
    if (upsets) this.#upsetUntilMs = Math.max(this.#upsetUntilMs, this.#stage.nowMs + fault.forMs + aftermathMs);
  }

  break(what: string, atMs = this.#stage.nowMs): void {
    const around = this.#history.filter(({ fault, atMs: fromMs }) => atMs >= fromMs && atMs <= fromMs + fault.forMs + 3_000);
    const because = around.map(({ fault, atMs: fromMs }) => `${fault.kind} from ${fromMs} for ${fault.forMs} ms`);
    this.violations.push(`${what} at ${atMs}${because.length === 0 ? '' : `; ${because.join(', ')}`}`);
  }

  /** A person or the platform has ordered something: STOP lasts until the next order. */
  ordered(target: CommandTarget): void {
    this.#stopBefore = this.#stopOrdered;
    this.#stopOrdered = target === 'stop';
    // An opening somebody asked for has its own time; who orders it down is to see it go.
    if (target !== 'close') this.#emptySinceMs = this.#stage.nowMs;
  }

  replied(target: CommandTarget, delivery: number, sentMs: number, { outcome, reason }: CommandOutcome): void {
    const { nowMs } = this.#stage;
    // An order that was refused lifts no STOP.
    if (outcome === 'refused') this.#stopOrdered = this.#stopBefore;
    if (delivery > 1 && reason !== 'duplicate' && reason !== 'lane-stopped') this.break(`S7: ${target} delivered twice, the second was answered ${outcome} ${reason ?? ''}`);
    if (nowMs - sentMs > repliedWithinMs) this.break(`command ${target} of ${sentMs} was answered late`);
  }

  look(view: LaneView): void {
    this.#answer(view);
    this.#leftOpen(view);
    this.#fire();
  }

  #answer(view: LaneView): void {
    const { nowMs, settings, lane } = this.#stage;
    if (lane.sensors.stop.seen !== 'off') this.#stopOrdered = true;
    const up = lane.boom.position > 0.02;
    // Whoever stands there sees an arm that is up, whatever the lane takes it for.
    const lost = view.boom === 'stopped' || view.boom === 'fault' || view.boom === 'unknown' || view.boom === 'closed' || (this.#stopOrdered && lane.sensors.stop.seen === 'off');
    const waits = view.attention.includes('stopped') && lane.sensors.stop.seen === 'off';
    const called = waits || view.attention.some((code) => callsForPerson.has(code)) || (up && lost);
    if (!called || !this.#quiet() || nowMs - this.#askedMs <= personAnswersMs) return;
    const gatewayCloses = settings.closing === 'gateway-closes';
    // A board that closes by itself is given the time to do so, and is then made to by an opening.
    if (!gatewayCloses && nowMs - this.#emptySinceMs < settings.autoCloseMs + boardTakesMs) return;
    this.#askedMs = nowMs;
    this.#stage.command(gatewayCloses ? 'close' : 'open');
  }

  #quiet(): boolean {
    return this.#stage.lane.vehicles.every((vehicle) => vehicle.high < -7 || vehicle.low > 1.2);
  }

  #leftOpen(view: LaneView): void {
    const { nowMs, settings, lane, plan } = this.#stage;
    const { fire, stop, button } = lane.sensors;
    if (!this.#quiet() || button.seen !== 'off' || nowMs < this.#upsetUntilMs || fire.raw || stop.raw || stop.reported !== 'off' || view.held || view.heldBySchedule || lane.boom.position <= 0.02) this.#emptySinceMs = nowMs;
    const patienceMs = settings.autoCloseMs + (settings.closeTimeMs + settings.openTimeMs) * plan.motor + 2 * personAnswersMs + boardTakesMs;
    if (nowMs - this.#emptySinceMs > patienceMs && lane.boom.position > 0.02 && !this.#reportedOpen) {
      this.#reportedOpen = true;
      this.break(`left open: nobody there, boom ${lane.boom.position.toFixed(2)}, lane says ${view.boom}, attention ${view.attention.join(',')}`);
    }
    if (lane.boom.position <= 0.02) this.#reportedOpen = false;
  }

  /** S4: with the fire panel's contact on and nothing broken that the boom needs, the boom is up. */
  #fire(): void {
    const { nowMs, settings, lane, plan } = this.#stage;
    const { fire, stop } = lane.sensors;
    if (!fire.raw || stop.raw || this.#stopOrdered || nowMs < this.#upsetUntilMs || fire.fault !== undefined) {
      this.#fireSinceMs = undefined;
      return;
    }
    this.#fireSinceMs ??= nowMs;
    if (nowMs - this.#fireSinceMs <= settings.openTimeMs * plan.motor + settings.deadTimeMs + 1_500 || lane.boom.position >= 0.98) return;
    this.#fireSinceMs = Number.POSITIVE_INFINITY;
    this.break(`S4: fire, and the boom is at ${lane.boom.position.toFixed(2)}`);
  }
}
