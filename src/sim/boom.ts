import type { LaneGeometry } from './geometry.js';

export type ContactName = 'open' | 'close' | 'stop';
/** Who makes the boom move: the gateway by its contacts, the barrier's own board, or nobody. */
export type MovedBy = 'gateway' | 'board' | 'none';

export interface BoomOptions {
  readonly closing: 'gateway-closes' | 'barrier-closes';
  /** `pulse`: the edge of a contact starts a run. `hold-to-open`: up while the open contact is on, down when it goes off. */
  readonly drive: 'pulse' | 'hold-to-open';
  readonly openTimeMs: number;
  readonly closeTimeMs: number;
  /** From a contact's edge to torque at the arm. */
  readonly reactionMs: number;
  /** How long a `barrier-closes` board waits after its loop has cleared, and after an opening that nobody used. */
  readonly boardCloseDelayMs: number;
  readonly boardAutoCloseMs: number;
}

/** The share of a run spent in gaining, and again in losing, speed. */
const ramp = 0.15;
/** Beyond the run time a board cuts its motor: normal run time + 10 s (CPSG 3020HX). */
const motorCutMs = 10_000;

/**
 * A boom arm with its motor and board. The arm has inertia; the board takes contacts as the common Chinese boards do: the
 * edge of a contact starts a run to the end, the open contact wins over the close contact and holds the boom up while it
 * is on, and a `barrier-closes` board lowers by itself once its own loop has cleared and raises again if that loop trips. A
 * hold-to-open board lowers at once when the open contact goes off, or, where it has a loop of its own, once that is clear.
 */
export class Boom {
  readonly #options: BoomOptions;
  #position = 0;
  /** Positions per millisecond; positive is up. */
  #velocity = 0;
  #target: 'open' | 'closed' | 'stopped' = 'closed';
  #next: { target: 'open' | 'closed' | 'stopped'; by: MovedBy; atMs: number } | undefined;
  #movedBy: MovedBy = 'none';
  #contacts = { open: false, close: false, stop: false };
  #boardLoopUsed = false;
  #boardClearSinceMs = 0;
  #openSinceMs = 0;
  #downRuns = 0;
  /** A hold-to-open board with a loop of its own was let go of where STOP had left it: it lowers once its loop is clear. */
  #letGo = false;
  #ranMs = 0;

  /** A mechanical failure: the motor hums, the arm stays. */
  jammed = false;
  /** How much longer than built a run takes: 1 as built, more in the cold or with a worn gear. */
  slowness = 1;

  constructor(options: BoomOptions) {
    this.#options = options;
  }

  /** 0 closed to 1 upright. */
  get position(): number {
    return this.#position;
  }

  get movingDown(): boolean {
    return this.#velocity < -1e-6;
  }

  get movingUp(): boolean {
    return this.#velocity > 1e-6;
  }

  get target(): 'open' | 'closed' | 'stopped' {
    return this.#target;
  }

  get movedBy(): MovedBy {
    return this.#movedBy;
  }

  /** How many runs downward were begun. */
  get downRuns(): number {
    return this.#downRuns;
  }

  contact(name: ContactName): boolean {
    return this.#contacts[name];
  }

  /** Puts the arm somewhere, at rest, as a power cut or a hand would have left it. */
  place(position: number): void {
    this.#position = Math.min(1, Math.max(0, position));
    this.#velocity = 0;
    this.#target = this.#position > 0.5 ? 'open' : 'closed';
    this.#movedBy = 'none';
    if (this.#position > 0 && this.#position < 1) this.#target = 'stopped';
  }

  setContact(name: ContactName, energised: boolean, nowMs: number): void {
    if (this.#contacts[name] === energised) return;
    this.#contacts[name] = energised;
    if (!energised) {
      const { closing, drive } = this.#options;
      if (name !== 'open' || drive !== 'hold-to-open') return;
      if (closing === 'gateway-closes') this.#order('closed', 'gateway', nowMs);
      else this.#letGo = this.#target === 'stopped';
      return;
    }
    this.#letGo = false;
    if (name === 'open') this.#order('open', 'gateway', nowMs);
    else if (name === 'stop') this.#order('stopped', 'gateway', nowMs);
    else if (!this.#contacts.open) this.#order('closed', 'gateway', nowMs);
  }

  step(dtMs: number, nowMs: number, loopOccupied: boolean): void {
    if (this.#options.closing === 'barrier-closes') this.#board(nowMs, loopOccupied);
    const next = this.#next;
    if (next !== undefined && nowMs >= next.atMs) {
      this.#next = undefined;
      if (next.target !== this.#target) {
        this.#target = next.target;
        this.#movedBy = next.by;
        this.#ranMs = 0;
        if (next.target === 'closed') this.#downRuns += 1;
        this.#letGo = false;
        if (next.target === 'open') this.#boardLoopUsed = false;
      }
    }
    this.#move(dtMs, nowMs);
  }

  #order(target: 'open' | 'closed' | 'stopped', by: MovedBy, nowMs: number): void {
    if (this.#next?.target === target) return;
    this.#next = { target, by, atMs: nowMs + this.#options.reactionMs };
  }

  #board(nowMs: number, loopOccupied: boolean): void {
    if (loopOccupied) {
      this.#boardClearSinceMs = Number.POSITIVE_INFINITY;
      // A descent that was ordered and has not begun yet does not begin over its own loop.
      if (this.#next?.by === 'board' && this.#next.target === 'closed') this.#next = undefined;
      if (this.#target === 'open') this.#boardLoopUsed = true;
      else if (this.#target === 'closed' && this.#position > 0 && this.#next?.target !== 'open') this.#order('open', 'board', nowMs);
      return;
    }
    if (this.#boardClearSinceMs === Number.POSITIVE_INFINITY) this.#boardClearSinceMs = nowMs;
    if ((this.#target !== 'open' && !this.#letGo) || this.#next !== undefined || this.#contacts.open) {
      if (this.#contacts.open) this.#openSinceMs = nowMs;
      return;
    }
    const clearMs = nowMs - this.#boardClearSinceMs;
    if (this.#options.drive === 'hold-to-open') {
      if (clearMs >= this.#options.boardCloseDelayMs) this.#order('closed', 'board', nowMs);
      return;
    }
    const used = this.#boardLoopUsed && clearMs >= this.#options.boardCloseDelayMs;
    const unused = this.#position >= 1 && nowMs - this.#openSinceMs >= this.#options.boardAutoCloseMs && clearMs >= this.#options.boardCloseDelayMs;
    if (used || unused) this.#order('closed', 'board', nowMs);
  }

  #move(dtMs: number, nowMs: number): void {
    if (this.#velocity === 0 && this.#target !== 'stopped' && this.#position === (this.#target === 'open' ? 1 : 0)) return;
    const builtMs = this.#target === 'open' ? this.#options.openTimeMs : this.#options.closeTimeMs;
    const runMs = builtMs * this.slowness;
    this.#ranMs += dtMs;
    if (this.#target !== 'stopped' && this.#ranMs > builtMs + motorCutMs) this.#target = 'stopped';
    if (this.jammed) {
      this.#velocity = 0;
      return;
    }
    const topSpeed = 1 / (runMs * (1 - ramp));
    const gain = topSpeed / (ramp * runMs);
    const rest = this.#target === 'open' ? 1 - this.#position : this.#target === 'closed' ? -this.#position : 0;
    const wanted = this.#target === 'stopped' ? 0 : Math.sign(rest) * Math.min(topSpeed, Math.sqrt(2 * gain * Math.abs(rest)));
    // Braking against the run is twice as strong as starting: the gearbox helps.
    const strength = this.#velocity * wanted < 0 || wanted === 0 ? 2 * gain : gain;
    const change = wanted - this.#velocity;
    const limit = strength * dtMs;
    this.#velocity += Math.abs(change) <= limit || (this.#velocity * wanted > 0 && Math.abs(wanted) < Math.abs(this.#velocity)) ? change : Math.sign(change) * limit;
    this.#position += this.#velocity * dtMs;
    if (this.#target === 'open' && this.#position >= 1 - 1e-3) this.#arrive(1, nowMs);
    else if (this.#target === 'closed' && this.#position <= 1e-3) this.#arrive(0, nowMs);
    else if (this.#position < 0 || this.#position > 1) {
      this.#position = Math.min(1, Math.max(0, this.#position));
      this.#velocity = 0;
    }
  }

  #arrive(position: 0 | 1, nowMs: number): void {
    this.#position = position;
    this.#velocity = 0;
    this.#movedBy = 'none';
    if (position === 1) this.#openSinceMs = nowMs;
  }
}

/** Height of the arm above ground over a point of the lane, metres. */
export function armHeightM(geometry: LaneGeometry, position: number, acrossM: number): number {
  if (position >= 0.999) return 1e9;
  return geometry.pivotHeight + (acrossM + geometry.pivotOffset) * Math.tan((position * Math.PI) / 2);
}
