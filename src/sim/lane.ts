import type { LaneId, SignalState } from '../base/index.js';
import { Boom, armHeightM, type ContactName, type MovedBy } from './boom.js';
import { Detector, loopFrequencyHz, loopInductanceUh } from './detector.js';
import { drive, type Surroundings } from './driver.js';
import { clearingPosition, defaultGeometry, type LaneGeometry } from './geometry.js';
import type { Random } from './random.js';
import type { Happening, HappeningKind, LawBroken, TrueEnd, TruePassage, UnsafeMovement } from './truth.js';
import { Vehicle, drawPaint, type VehiclePlan } from './vehicle.js';

export const sensorNames = ['approach', 'closing', 'beam', 'openLimit', 'closedLimit', 'fire', 'stop', 'button'] as const;
export type SimSensor = (typeof sensorNames)[number];

export interface SimLaneSpec {
  readonly id: LaneId;
  readonly name?: string;
  readonly direction: 'entry' | 'exit';
  readonly closing: 'gateway-closes' | 'barrier-closes';
  /** How the barrier's board takes the open contact; by pulses where omitted. */
  readonly drive?: 'pulse' | 'hold-to-open';
  readonly openTimeMs: number;
  readonly closeTimeMs: number;
  /** The gateway's dead time between its contacts: part of what a reversal may take. */
  readonly deadTimeMs: number;
  /** Whether a beam is fitted (a person is seen by nothing else) and wired to the gateway. */
  readonly beam: boolean;
  /**
   * Longest a contact may stay energised after its last order (S3). The open contact may be held while fire is on, while
   * somebody has ordered so (`orderHeld`), and on a hold-to-open board.
   */
  readonly longestEnergisedMs: number;
  readonly geometry?: LaneGeometry;
  /** Whether the gateway sees by a switch that the arm leaves its upper end; true where omitted. */
  readonly openLimit?: boolean;
  /** Whether it sees by a switch that the arm is down; true where omitted. */
  readonly closedLimit?: boolean;
  /** Pause of a `barrier-closes` board after its loop cleared, and after an opening nobody used. */
  readonly boardCloseDelayMs?: number;
  readonly boardAutoCloseMs?: number;
}

export interface LaneObserver {
  happened(happening: Happening): void;
  passed(passage: TruePassage): void;
  unsafe(movement: UnsafeMovement): void;
  lawBroken(broken: LawBroken): void;
  stamp(): number;
}

interface Walker {
  readonly id: string;
  readonly acrossM: number;
  readonly untilMs: number;
}

const loopOptions = { delayMs: 50, minimumOnMs: 200 };
/** How long a driver looks at an oncoming vehicle before he makes way. */
const faceToFaceMs = 2_000;
const beamOptions = { delayMs: 10, minimumOnMs: 0 };
const contactOptions = { delayMs: 0, minimumOnMs: 0 };
const boardReactionMs = 40;
/** A person's height, and room for detector, gateway and motor to take a movement back, beyond the dead time. */
const walkerHeightM = 1.7;
const reversalGraceMs = 450;
/** How long beyond the run time an arm may fall before a gateway without a switch takes it for down. */
const settlesMs = 500;
/** Until an order that failed is given again. */
const retryGraceMs = 700;
/** Lamps are switched by two relays, and a board that lowers by itself is only noticed when it does. */
const lampGraceMs = 500;
/** From here on an arm counts as up for whoever looks at the green lamp. */
const upForDriversM = 0.9;

/** An output, the bus, the motor without a switch that would tell, or the gateway's processor. */
export type Failing = ContactName | LampName | 'bus' | 'motor' | 'gateway';
export type LampName = 'greenLight' | 'redLight';

/** One lane of the world: its road, its sensors, its boom, and an observer that knows the truth about all of it. */
export class SimLane {
  readonly spec: SimLaneSpec;
  readonly geometry: LaneGeometry;
  readonly boom: Boom;
  readonly sensors: Readonly<Record<SimSensor, Detector>>;
  /** In order along the road, the one furthest on first. */
  readonly vehicles: Vehicle[] = [];
  readonly #random: Random;
  readonly #observer: LaneObserver;
  readonly #walkers: Walker[] = [];
  readonly #pressed: Record<'fire' | 'stop' | 'button', boolean> = { fire: false, stop: false, button: false };
  readonly #energisedSince: Record<ContactName, number | undefined> = { open: undefined, close: undefined, stop: undefined };
  readonly #overLong = new Set<ContactName>();
  readonly #boardLoop: Detector;
  #serial = 0;
  #downRun = 0;
  #downRunStartMs = 0;
  /** Who began it; a gateway that takes back what the board began has not lowered. */
  #downRunBy: MovedBy = 'none';
  #startedOver = false;
  readonly #toldInRun = new Set<string>();
  readonly #contactListeners = new Set<(name: ContactName, energised: boolean) => void>();
  readonly #hardwareFailures = new Set<Failing>();
  #hardwareWellSinceMs = 0;
  /** An order may have come to nothing since the arm last stood open: without a switch nobody can know where it is. */
  #strayed = false;
  /** While the arm was told to fall, the open contact did not obey: an order to take it back may be lost for good. */
  #raiseLost = false;
  /** When the gateway last ordered it down; undefined after an order up. */
  #loweredMs: number | undefined;
  /** By how long a contact that stuck followed that order late. */
  #loweredLateMs = 0;
  /** The run time of that order is over and no switch says that the arm is not down: whatever comes under it, no gateway knows of it. */
  #takenForDown = false;
  readonly #drift = { approach: 1, closing: 1 };
  readonly #lamps: Record<LampName, boolean> = { greenLight: false, redLight: false };
  readonly #lampWrongSince: Record<LampFault, number | undefined> = { both: undefined, down: undefined };
  #held = false;

  constructor(spec: SimLaneSpec, random: Random, observer: LaneObserver) {
    this.spec = spec;
    this.geometry = spec.geometry ?? defaultGeometry;
    this.#random = random;
    this.#observer = observer;
    this.boom = new Boom({
      closing: spec.closing,
      drive: spec.drive ?? 'pulse',
      openTimeMs: spec.openTimeMs,
      closeTimeMs: spec.closeTimeMs,
      reactionMs: boardReactionMs,
      boardCloseDelayMs: spec.boardCloseDelayMs ?? 700,
      boardAutoCloseMs: spec.boardAutoCloseMs ?? 20_000,
    });
    this.sensors = {
      approach: new Detector(loopOptions, random),
      closing: new Detector(loopOptions, random),
      beam: new Detector(beamOptions, random),
      openLimit: new Detector(contactOptions, random),
      closedLimit: new Detector(contactOptions, random),
      fire: new Detector(contactOptions, random),
      stop: new Detector(contactOptions, random),
      button: new Detector(contactOptions, random),
    };
    this.#boardLoop = new Detector(loopOptions, random);
    this.#sense(0);
  }

  /** Whether a vehicle could drive in now without touching another. */
  hasRoom(wrongWay = false): boolean {
    if (wrongWay) return this.vehicles.every((vehicle) => vehicle.high < this.geometry.to - 6);
    return this.vehicles.every((vehicle) => vehicle.low > this.geometry.from + 5 && vehicle.phase !== 'leaving-back');
  }

  /** Puts a vehicle on the road. */
  add(plan: VehiclePlan, nowMs: number): Vehicle {
    this.#serial += 1;
    const id = `${this.spec.id}-v${String(this.#serial)}`;
    const speed = plan.speedMps ?? 4.5;
    const paint = plan.paint ?? drawPaint(this.#random);
    let vehicle: Vehicle;
    if (plan.intention.kind === 'wrong-way' || plan.intention.kind === 'peek') {
      vehicle = new Vehicle(id, plan, this.geometry.to, -1, paint, speed, nowMs);
    } else if (plan.intention.kind === 'cross') {
      vehicle = new Vehicle(id, plan, plan.intention.atM, 1, paint, 0, nowMs);
      vehicle.pausedUntilMs = nowMs + plan.intention.forMs;
    } else {
      vehicle = new Vehicle(id, plan, this.geometry.from, 1, paint, speed, nowMs);
    }
    this.vehicles.push(vehicle);
    if (vehicle.heading < 0) this.#tell('comes-wrong-way', vehicle);
    if (plan.intention.kind === 'cross') this.#tell('crosses', vehicle);
    return vehicle;
  }

  /** Somebody walks under the arm; only a beam can tell. */
  walk(nowMs: number, forMs: number): void {
    this.#serial += 1;
    this.#walkers.push({ id: `${this.spec.id}-p${String(this.#serial)}`, acrossM: this.#random.between(0.4, 2.6), untilMs: nowMs + forMs });
    this.#tell('walks-under', undefined);
  }

  /** A hand on a button, or the fire panel's contact. */
  press(name: 'fire' | 'stop' | 'button', pressed: boolean): void {
    this.#pressed[name] = pressed;
  }

  /**
   * Told by the driver while an output, or the way to it, does not obey, or while the gateway itself stands still: it is not
   * to blame for what follows until it has had the time to try again.
   */
  setHardwareFailing(what: Failing, failing: boolean, nowMs: number): void {
    if (failing) this.#strayed = true;
    if (failing && what === 'open') this.#raiseLost = true;
    if (failing) this.#hardwareFailures.add(what);
    else if (this.#hardwareFailures.delete(what)) this.#hardwareWellSinceMs = nowMs + retryGraceMs;
  }

  /** Called the moment a contact closes or opens, as a meter on the barrier's terminals would see it. */
  onContact(listener: (name: ContactName, energised: boolean) => void): () => void {
    this.#contactListeners.add(listener);
    return () => this.#contactListeners.delete(listener);
  }

  /** Somebody has ordered the boom to be held up: the open contact may stay on meanwhile (S3). */
  orderHeld(held: boolean): void {
    this.#held = held;
  }

  /** Whether a lamp of the traffic light is lit. */
  lamp(name: LampName): boolean {
    return this.#lamps[name];
  }

  setLamp(name: LampName, lit: boolean): void {
    this.#lamps[name] = lit;
  }

  /** The temperature moves a loop's inductance by this share; detectors follow it as long as it is slow. */
  driftLoop(loop: 'approach' | 'closing', share: number): void {
    this.#drift[loop] = 1 + share;
  }

  /** Whether orders to an output cannot arrive now. */
  #deaf(output: ContactName | LampName): boolean {
    const failing = this.#hardwareFailures;
    return failing.has(output) || failing.has('bus') || failing.has('gateway');
  }

  /** @param orderedMs when the gateway ordered it, where a contact that stuck follows only now */
  setContact(name: ContactName, energised: boolean, nowMs: number, orderedMs = nowMs): void {
    // A new order while the contact is on extends it: the limit counts from the last order, as it would if nobody were left
    // to give the next.
    this.#energisedSince[name] = energised ? nowMs : undefined;
    if (this.boom.contact(name) === energised) return;
    this.#overLong.delete(name);
    const lowers = name === 'close' ? energised : name === 'open' && !energised && this.spec.drive === 'hold-to-open' && this.spec.closing === 'gateway-closes';
    // A little slack: an edge that arrives in the same breath as the order cannot be acted on.
    if (lowers && orderedMs - this.#toldSince() > 60 && this.boom.position > 0.02 && !this.#hardwareFailures.has('gateway') && !this.#hardwareFailures.has('bus')) {
      this.#broken('S1', `boom ordered down (${name} contact) while a safety sensor was not clear`);
    }
    if (lowers || (name === 'open' && energised)) {
      this.#loweredMs = lowers ? orderedMs : undefined;
      this.#loweredLateMs = nowMs - orderedMs;
      this.#takenForDown = false;
    }
    this.boom.setContact(name, energised, nowMs);
    for (const listener of this.#contactListeners) listener(name, energised);
    const welded = this.#hardwareFailures.has('open') || this.#hardwareFailures.has('close');
    if (this.boom.contact('open') && this.boom.contact('close') && !welded) this.#broken('S2', 'open and close contacts on together');
  }

  step(dtMs: number, nowMs: number): void {
    this.#drive(dtMs, nowMs);
    this.#sense(nowMs);
    this.boom.step(dtMs, nowMs, this.#boardLoop.reported === 'on');
    this.#watch(nowMs);
  }

  /** Microhenry, as a detector's diagnostics would show. */
  inductanceUh(loop: 'approach' | 'closing'): number {
    const [from, to] = loop === 'approach' ? this.geometry.approachLoop : this.geometry.closingLoop;
    let least = 150;
    for (const vehicle of this.vehicles) least = Math.min(least, loopInductanceUh(vehicle.covers(from, to), vehicle.body.heightM));
    return least * this.#drift[loop];
  }

  /** Hertz, as a detector that reports its oscillator would show. */
  frequencyHz(loop: 'approach' | 'closing'): number {
    return loopFrequencyHz(this.inductanceUh(loop));
  }

  /** The vehicle at the gate: over a loop, or else the next to come; undefined on an empty road. */
  atGate(): Vehicle | undefined {
    const { approachLoop, closingLoop } = this.geometry;
    return (
      this.vehicles.find((vehicle) => vehicle.passedArmAtMs === undefined && vehicle.overlaps(approachLoop[0], approachLoop[1])) ??
      this.vehicles.find((vehicle) => vehicle.overlaps(approachLoop[0], closingLoop[1])) ??
      this.vehicles.find((vehicle) => vehicle.front < 0)
    );
  }

  #drive(dtMs: number, nowMs: number): void {
    const { vehicles } = this;
    if (vehicles.length === 0) return;
    for (let index = 0; index < vehicles.length; index += 1) {
      const vehicle = vehicles[index];
      if (vehicle === undefined) continue;
      const kind = vehicle.plan.intention.kind;
      if (kind === 'shadow') continue;
      if (kind === 'cross') {
        if (nowMs >= vehicle.pausedUntilMs) vehicle.done = true;
        continue;
      }
      drive(vehicle, this.#surroundings(vehicle, nowMs), dtMs);
    }
    let gone = false;
    for (const vehicle of vehicles) {
      this.#follow(vehicle, nowMs);
      if (vehicle.done) gone = true;
    }
    if (gone) {
      for (let index = vehicles.length - 1; index >= 0; index -= 1) {
        if (vehicles[index]?.done === true) vehicles.splice(index, 1);
      }
    }
  }

  #surroundings(vehicle: Vehicle, nowMs: number): Surroundings {
    let gapAheadM = Number.POSITIVE_INFINITY;
    let gapBehindM = Number.POSITIVE_INFINITY;
    let follower: Vehicle | undefined;
    let mustYield = false;
    for (const other of this.vehicles) {
      if (other === vehicle) continue;
      const otherAhead = (other.low + other.high - vehicle.low - vehicle.high) * vehicle.heading > 0;
      if (otherAhead) {
        const gap = vehicle.heading > 0 ? other.low - vehicle.high : vehicle.low - other.high;
        if (gap < gapAheadM) gapAheadM = gap;
        if (other.phase === 'leaving-back' && other.heading === vehicle.heading) mustYield = true;
      } else {
        const gap = vehicle.heading > 0 ? vehicle.low - other.high : other.low - vehicle.high;
        if (gap < gapBehindM) {
          gapBehindM = gap;
          follower = other.heading === vehicle.heading ? other : undefined;
        }
      }
    }
    this.#makeWay(vehicle, gapAheadM, nowMs);
    return {
      geometry: this.geometry,
      boom: this.boom,
      openTimeMs: this.spec.openTimeMs,
      nowMs,
      gapAheadM,
      gapBehindM,
      follower,
      mustYield,
      tell: (kind, who) => this.#tell(kind, who),
    };
  }

  /**
   * Two that meet nose to nose: whoever goes the wrong way gives in at once, unless he is past the arm already; then those
   * who face him do, after a look.
   */
  #makeWay(vehicle: Vehicle, gapAheadM: number, nowMs: number): void {
    if (gapAheadM >= 3 || vehicle.passedArmAtMs !== undefined || vehicle.phase === 'leaving-back') {
      vehicle.facingSinceMs = undefined;
      return;
    }
    if (vehicle.heading < 0) {
      if (vehicle.phase === 'going') vehicle.phase = 'leaving-back';
      return;
    }
    const oncoming = this.vehicles.some((other) => other.heading < 0 && other.low >= vehicle.high && other.low - vehicle.high < 3 && other.passedArmAtMs !== undefined);
    vehicle.facingSinceMs = oncoming ? (vehicle.facingSinceMs ?? nowMs) : undefined;
    if (vehicle.facingSinceMs === undefined || nowMs - vehicle.facingSinceMs < faceToFaceMs) return;
    vehicle.phase = 'leaving-back';
    vehicle.disturbed = true;
  }

  /** Keeps the truth about one vehicle. */
  #follow(vehicle: Vehicle, nowMs: number): void {
    const { approachLoop, closingLoop, sweep } = this.geometry;
    const onApproach = vehicle.overlaps(approachLoop[0], approachLoop[1]);
    const onClosing = vehicle.overlaps(closingLoop[0], closingLoop[1]);
    if (onApproach && !vehicle.touchedApproach) {
      vehicle.touchedApproach = true;
      if (vehicle.arrivedAtMs === undefined) {
        vehicle.arrivedAtMs = this.#observer.stamp();
        if (vehicle.heading > 0 && vehicle.plan.intention.kind !== 'cross') this.#tell('arrives', vehicle);
      }
    }
    if (onClosing && !vehicle.touchedClosing) {
      vehicle.merged = this.sensors.closing.reported === 'on';
      vehicle.touchedClosing = true;
      vehicle.arrivedAtMs ??= this.#observer.stamp();
    }
    const travelled = vehicle.front * vehicle.heading;
    if (vehicle.passedArmAtMs === undefined && travelled > sweep[1]) {
      vehicle.passedArmAtMs = nowMs;
      vehicle.phase = vehicle.phase === 'pausing' ? 'pausing' : vehicle.plan.intention.kind === 'stop-under' && vehicle.shuntsLeft >= 0 ? 'going' : 'committed';
      if (this.boom.position < clearingPosition(this.geometry, vehicle.body.heightM, vehicle.body.widthM) - 0.02) {
        vehicle.rammed = true;
        this.#tell('rams', vehicle);
      } else if (vehicle.plan.intention.kind === 'tailgate') {
        this.#tell('slips-through', vehicle);
      }
    }
    const end = this.#endOf(vehicle, closingLoop[1]);
    if (end !== undefined && vehicle.startedAtMs !== -1) {
      vehicle.startedAtMs = -1;
      this.#observer.passed({
        lane: this.spec.id,
        direction: this.spec.direction,
        vehicle: vehicle.id,
        kind: vehicle.plan.kind,
        tag: vehicle.plan.tag,
        intention: vehicle.plan.intention.kind,
        plate: vehicle.plan.plate,
        end,
        rammed: vehicle.rammed,
        touchedApproach: vehicle.touchedApproach,
        touchedClosing: vehicle.touchedClosing,
        disturbed: vehicle.disturbed,
        merged: vehicle.merged,
        arrivedAtMs: vehicle.arrivedAtMs,
        endedAtMs: this.#observer.stamp(),
      });
      if (end === 'through') this.#tell('passes', vehicle);
      if (end === 'backed-out' && vehicle.touchedApproach) this.#tell('backs-out', vehicle);
    }
    const farEnd = vehicle.heading > 0 ? this.geometry.to : -this.geometry.from;
    if (vehicle.rear * vehicle.heading > farEnd) vehicle.done = true;
  }

  #endOf(vehicle: Vehicle, clearOfM: number): TrueEnd | undefined {
    if (vehicle.plan.intention.kind === 'cross') return vehicle.done ? 'crossed' : undefined;
    if (vehicle.heading > 0 && vehicle.rear > clearOfM) return 'through';
    if (vehicle.heading < 0 && vehicle.rear < this.geometry.approachLoop[0]) return 'wrong-way';
    return vehicle.done ? 'backed-out' : undefined;
  }

  #sense(nowMs: number): void {
    const { approachLoop, closingLoop } = this.geometry;
    let approach = false;
    let closing = false;
    let beam = this.#walkers.length > 0;
    for (const vehicle of this.vehicles) {
      if (vehicle.low > closingLoop[1] || vehicle.high < approachLoop[0]) continue;
      // A loop wants some metal over it before it trips.
      if (!approach && vehicle.covers(approachLoop[0], approachLoop[1]) > 0.08) approach = true;
      if (!closing && vehicle.covers(closingLoop[0], closingLoop[1]) > 0.08) closing = true;
      if (!beam && vehicle.overlaps(-0.05, 0.05)) beam = true;
    }
    const { sensors } = this;
    sensors.approach.update(approach, nowMs);
    sensors.closing.update(closing, nowMs);
    this.#boardLoop.update(closing, nowMs);
    if (this.spec.beam) sensors.beam.update(beam, nowMs);
    sensors.openLimit.update(this.boom.position > 0.985, nowMs);
    sensors.closedLimit.update(this.boom.position < 0.015, nowMs);
    sensors.fire.update(this.#pressed.fire, nowMs);
    sensors.stop.update(this.#pressed.stop, nowMs);
    sensors.button.update(this.#pressed.button, nowMs);
    for (let index = this.#walkers.length - 1; index >= 0; index -= 1) {
      if ((this.#walkers[index]?.untilMs ?? 0) <= nowMs) this.#walkers.splice(index, 1);
    }
  }

  /** Since when the gateway has been told that the way is not clear; infinity while it is told that it is. */
  #toldSince(): number {
    const closing = this.sensors.closing.notOffSinceMs;
    return this.spec.beam ? Math.min(closing, this.sensors.beam.notOffSinceMs) : closing;
  }

  #watch(nowMs: number): void {
    this.#watchContacts(nowMs);
    this.#watchLamps(nowMs);
    const { boom } = this;
    if (boom.downRuns !== this.#downRun) {
      this.#downRun = boom.downRuns;
      this.#downRunStartMs = nowMs;
      this.#downRunBy = boom.movedBy;
      this.#raiseLost = this.#hardwareFailures.has('open');
      this.#toldInRun.clear();
      this.#startedOver = this.#bodyUnderArm() !== undefined;
    }
    if (!this.#takenForDown && this.#loweredMs !== undefined && nowMs > this.#loweredMs + this.spec.closeTimeMs + settlesMs) this.#takenForDown = !this.#tellsItIsUp();
    if (!boom.movingDown || this.#downRunBy !== 'gateway') return;
    const told = this.#toldSince();
    const knownForMs = nowMs - Math.max(told, this.#downRunStartMs, this.#hardwareWellSinceMs);
    // An arm that has been told to rise still sinks for a moment by its own weight.
    const late = boom.target === 'closed' && boom.position > 0.02 && told !== Number.POSITIVE_INFINITY && knownForMs > this.spec.deadTimeMs + reversalGraceMs;
    const failed = this.#hardwareFailures.size > 0 || this.#raiseLost || this.#takenForDown;
    if (late && !failed && !this.#toldInRun.has('S1')) {
      this.#toldInRun.add('S1');
      this.#broken('S1', 'kept closing although a safety sensor was not clear');
    }
    const body = this.#bodyUnderArm();
    if (body === undefined) return;
    // What came after the order cannot be blamed on it, even if the contact stuck until then.
    const toldBeforeRun = told < this.#downRunStartMs - this.#loweredLateMs - 60;
    if (this.#startedOver) this.#unsafe('started-down', body.id, nowMs, toldBeforeRun && !this.#hardwareFailures.has('bus') && !this.#takenForDown ? undefined : this.#excuse(knownForMs));
    if (late) this.#unsafe('kept-closing', body.id, nowMs, failed ? 'hardware' : undefined);
    if (armHeightM(this.geometry, boom.position, body.acrossM) < body.heightM) {
      this.#unsafe('contact', body.id, nowMs, late ? (failed ? 'hardware' : undefined) : this.#excuse(knownForMs));
    }
  }

  #excuse(knownForMs: number): UnsafeMovement['excuse'] {
    if (this.#hardwareFailures.size > 0 || this.#takenForDown) return 'hardware';
    const { closing, beam } = this.sensors;
    if (closing.blind || !closing.raw || (this.spec.beam && beam.blind)) return 'blind';
    return knownForMs <= this.spec.deadTimeMs + reversalGraceMs ? 'vehicle' : undefined;
  }

  /** Whether a switch that can be read says that the arm is not down. */
  #tellsItIsUp(): boolean {
    const { openLimit, closedLimit } = this.sensors;
    const closed = (this.spec.closedLimit ?? true) && closedLimit.fault === undefined;
    const open = (this.spec.openLimit ?? true) && openLimit.fault === undefined;
    return (closed && closedLimit.reported === 'off') || (open && openLimit.reported === 'on');
  }

  #bodyUnderArm(): { readonly id: string; readonly heightM: number; readonly acrossM: number } | undefined {
    const { sweep, laneWidth } = this.geometry;
    for (const vehicle of this.vehicles) {
      if (!vehicle.overlaps(sweep[0], sweep[1])) continue;
      return { id: vehicle.id, heightM: vehicle.body.heightM, acrossM: (laneWidth - vehicle.body.widthM) / 2 + vehicle.lateralM };
    }
    const walker = this.#walkers[0];
    return walker === undefined ? undefined : { id: walker.id, heightM: walkerHeightM, acrossM: walker.acrossM };
  }

  #watchContacts(nowMs: number): void {
    for (const name of contactNames) {
      const since = this.#energisedSince[name];
      if (since === undefined) continue;
      const mayHold = this.sensors.fire.reported !== 'off' || this.#held || this.spec.drive === 'hold-to-open';
      if (name === 'open' && mayHold) this.#energisedSince.open = nowMs;
      // Nobody can release a contact whose relay takes no order; the limit counts from when it does again.
      else if (this.#deaf(name)) this.#energisedSince[name] = nowMs;
      else if (nowMs - Math.max(since, this.#hardwareWellSinceMs) > this.spec.longestEnergisedMs && !this.#overLong.has(name)) {
        this.#overLong.add(name);
        this.#broken('S3', `${name} contact energised for more than ${String(this.spec.longestEnergisedMs)} ms`);
      }
    }
  }

  /**
   * A lamp is a promise: never green and red together for longer than a switch-over, and never green before an arm that is
   * down or going down.
   */
  #watchLamps(nowMs: number): void {
    const { greenLight, redLight } = this.#lamps;
    if (!greenLight) {
      this.#lampWrongSince.both = undefined;
      this.#lampWrongSince.down = undefined;
      return;
    }
    const { boom } = this;
    const { openLimit, closedLimit } = this.sensors;
    if (boom.position > upForDriversM && boom.target === 'open' && this.#hardwareFailures.size === 0) this.#strayed = false;
    // Where the board lowers by itself only a switch tells that it does.
    const seen = (this.spec.openLimit ?? true) || (this.spec.closing === 'gateway-closes' && !this.#strayed);
    const lied = openLimit.fault !== undefined || closedLimit.fault !== undefined;
    const down = boom.target !== 'open' && boom.position < upForDriversM && seen && !lied;
    const wrong: Record<LampFault, boolean> = { both: redLight, down };
    for (const fault of lampFaults) {
      const since = wrong[fault] ? (this.#lampWrongSince[fault] ?? nowMs) : undefined;
      const deaf = this.#deaf('greenLight') || this.#deaf('redLight') || this.#deaf('open') || this.#hardwareFailures.has('motor');
      if (since === undefined || deaf) this.#lampWrongSince[fault] = since === undefined ? undefined : nowMs;
      else {
        this.#lampWrongSince[fault] = since;
        const forMs = nowMs - Math.max(since, this.#hardwareWellSinceMs);
        // Told once: the number grows past every limit only after another change.
        if (forMs <= lampGraceMs) continue;
        this.#lampWrongSince[fault] = Number.POSITIVE_INFINITY;
        this.#broken('lamp', fault === 'both' ? 'green and red are both lit' : `green is lit and the boom is ${boom.movingDown ? 'going down' : 'not up'}`);
      }
    }
  }

  #broken(law: LawBroken['law'], detail: string): void {
    this.#observer.lawBroken({ lane: this.spec.id, law, detail, atMs: this.#observer.stamp() });
  }

  #unsafe(kind: UnsafeMovement['kind'], vehicle: string, nowMs: number, excuse: UnsafeMovement['excuse']): void {
    const key = `${kind}:${vehicle}`;
    if (this.#toldInRun.has(key)) return;
    this.#toldInRun.add(key);
    if (kind === 'contact') this.#tell('boom-struck', this.vehicles.find((other) => other.id === vehicle));
    const at = { lane: this.spec.id, kind, vehicle, boomPosition: this.boom.position, atMs: this.#observer.stamp() };
    this.#observer.unsafe(excuse === undefined ? at : { ...at, excuse });
  }

  #tell(kind: HappeningKind, vehicle: Vehicle | undefined): void {
    const happening = { kind, lane: this.spec.id, direction: this.spec.direction, atMs: this.#observer.stamp() };
    this.#observer.happened(
      vehicle === undefined
        ? happening
        : { ...happening, vehicle: { id: vehicle.id, kind: vehicle.plan.kind, tag: vehicle.plan.tag, plate: vehicle.plan.plate } },
    );
  }

  /** For tests and pages: what each wire says. */
  wires(): Readonly<Record<SimSensor, SignalState>> {
    const { sensors } = this;
    return {
      approach: sensors.approach.reported,
      closing: sensors.closing.reported,
      beam: sensors.beam.reported,
      openLimit: sensors.openLimit.reported,
      closedLimit: sensors.closedLimit.reported,
      fire: sensors.fire.reported,
      stop: sensors.stop.reported,
      button: sensors.button.reported,
    };
  }
}

const contactNames = ['open', 'close', 'stop'] as const;
const lampFaults = ['both', 'down'] as const;
type LampFault = (typeof lampFaults)[number];
