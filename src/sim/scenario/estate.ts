import type { LaneId } from '../../base/index.js';
import { drawPlate, type SimPlate } from '../plates.js';
import type { Random } from '../random.js';
import type { SimLane } from '../lane.js';
import { drawPaint, type Intention, type TruthTag, type VehicleKind, type VehiclePlan } from '../vehicle.js';
import type { World } from '../world.js';
import { tell, type Story } from './story.js';

/** A registered vehicle of the estate. */
export interface EstateResident {
  /** Identifier of the household as the configuration wants it. */
  readonly household: string;
  readonly name: string;
  readonly plate: SimPlate;
}

export interface EstateVisitor {
  readonly plate: SimPlate;
  readonly note: string;
}

interface Person {
  readonly plate: SimPlate;
  readonly kind: VehicleKind;
  readonly paint: string;
  readonly tag: TruthTag;
  readonly rearFirst: boolean;
  whereabouts: 'outside' | 'inside' | 'moving';
}

export interface EstateOptions {
  readonly entry: LaneId;
  readonly exit: LaneId;
  readonly residents?: number;
  readonly visitors?: number;
  /** Mean time between two vehicles of one lane, ms; a lane's queue of two holds further ones back. */
  readonly headwayMs?: number;
}

const names = ['王', '李', '张', '刘', '陈', '杨', '赵', '黄', '周', '吴', '徐', '孙', '胡', '朱', '高', '林', '何', '郭', '马', '罗'];

/**
 * A neighbourhood's day at an entry and an exit lane: residents come and go, announced visitors, strangers who are turned
 * away, an ambulance, a tailgater, a removal truck that reverses in. Deterministic from the world's seed.
 */
export class Estate {
  readonly #world: World;
  readonly #random: Random;
  readonly #options: Required<EstateOptions>;
  readonly #people: Person[] = [];
  readonly #residents: EstateResident[] = [];
  readonly #visitors: EstateVisitor[] = [];
  readonly #blocked: Person;
  readonly #moving = new Map<string, { readonly person: Person | undefined; readonly lane: LaneId }>();
  readonly #nextMs = new Map<LaneId, number>();
  readonly #storyListeners = new Set<(story: Story) => void>();
  #undo: (() => void)[] = [];
  #arrivals = 0;

  constructor(world: World, options: EstateOptions) {
    this.#world = world;
    this.#options = { residents: 28, visitors: 5, headwayMs: 3_600, ...options };
    this.#random = world.random('estate');
    const random = this.#random;
    const taken = new Set<string>();
    const fresh = (type: SimPlate['type'], rows?: 1 | 2): SimPlate => {
      for (;;) {
        const plate = drawPlate(random, type, '京', rows);
        if (taken.has(plate.text)) continue;
        taken.add(plate.text);
        return plate;
      }
    };
    for (let index = 0; index < this.#options.residents; index += 1) {
      const plate = fresh(random.chance(0.32) ? 'new-energy-small' : 'small-car');
      this.#residents.push({ household: `h${String(index + 1).padStart(2, '0')}`, name: `${names[index % names.length] ?? '王'}家`, plate });
      this.#people.push(this.#person(plate, 'resident', random.weighted({ car: 5, suv: 3, van: 1 }, 'car'), index % 2 === 0));
    }
    for (let index = 0; index < this.#options.visitors; index += 1) {
      // One of them is a removal truck: yellow plate, and it reverses in, so that its two rows are seen.
      const truck = index === 1;
      const plate = truck ? fresh('large-car', 2) : fresh(index === 0 ? 'new-energy-small' : 'small-car');
      this.#visitors.push({ plate, note: truck ? '搬家公司' : '访客' });
      this.#people.push({ ...this.#person(plate, 'visitor', truck ? 'truck' : 'car', false), rearFirst: truck });
    }
    this.#blocked = this.#person(fresh('small-car'), 'blocked', 'car', false);
  }

  /** Who has a right to come in; for the access lists of a demonstration. */
  residents(): readonly EstateResident[] {
    return this.#residents;
  }

  visitors(): readonly EstateVisitor[] {
    return this.#visitors;
  }

  /** Plates that must not come in, with the reason on the list. */
  blocked(): readonly { readonly plate: SimPlate; readonly reason: string }[] {
    return [{ plate: this.#blocked.plate, reason: '多次占用消防通道' }];
  }

  /** Lets vehicles come by themselves from now on. */
  start(): void {
    if (this.#undo.length > 0) return;
    this.#nextMs.set(this.#options.entry, this.#world.nowMs + 300);
    this.#nextMs.set(this.#options.exit, this.#world.nowMs + 1_800);
    this.#undo = [
      this.#world.onStep((nowMs) => this.#step(nowMs)),
      this.#world.onPassage((passage) => {
        const moved = this.#moving.get(passage.vehicle);
        this.#moving.delete(passage.vehicle);
        if (moved?.person === undefined) return;
        const wasEntry = moved.lane === this.#options.entry;
        const through = passage.end === 'through';
        moved.person.whereabouts = through === wasEntry ? 'inside' : 'outside';
      }),
      this.#world.onHappening((happening) => {
        const story = tell(happening);
        for (const listener of this.#storyListeners) listener(story);
      }),
    ];
  }

  stop(): void {
    for (const undo of this.#undo) undo();
    this.#undo = [];
  }

  /** Tells in plain words what happens. Returns the way to stop listening. */
  onStory(listener: (story: Story) => void): () => void {
    this.#storyListeners.add(listener);
    return () => this.#storyListeners.delete(listener);
  }

  #step(nowMs: number): void {
    this.#daylight(nowMs);
    for (const id of [this.#options.entry, this.#options.exit]) {
      if (nowMs < (this.#nextMs.get(id) ?? 0)) continue;
      const lane = this.#world.lane(id);
      const before = lane.vehicles.filter((vehicle) => vehicle.high < 1).length;
      if (!lane.hasRoom() || before > 1) continue;
      // The tailgater comes right behind the one before.
      const tailgaterNext = id === this.#options.entry && this.#arrivals % 16 === 7;
      this.#nextMs.set(id, tailgaterNext ? nowMs + 500 : nowMs + 1_500 + this.#random.exponential(this.#options.headwayMs - 1_500));
      if (id === this.#options.entry) this.#entry(lane);
      else this.#exit(lane);
    }
  }

  /** From full day to dusk and back in six minutes, so that a short demonstration sees both. */
  #daylight(nowMs: number): void {
    if (nowMs % 500 !== 0) return;
    const turn = (nowMs % 360_000) / 360_000;
    this.#world.setLight(Math.min(1, 0.62 + 0.62 * Math.cos(turn * 2 * Math.PI)));
  }

  #entry(lane: SimLane): void {
    const random = this.#random;
    this.#arrivals += 1;
    // The rare ones come at fixed places of the sequence, so that even a short demonstration shows them.
    switch (this.#arrivals % 16) {
      case 3:
        this.#drive(lane, this.#person(drawPlate(random, 'small-car', '京津冀'), 'stranger', 'car', false), { kind: 'drive' }, 3_500, false);
        return;
      case 6:
        this.#drive(lane, this.#person(drawPlate(random, 'emergency'), 'emergency', 'ambulance', false), { kind: 'drive' }, undefined, false);
        return;
      case 9:
        if (lane.vehicles.some((vehicle) => vehicle.high < 0 && vehicle.plan.tag === 'resident')) {
          this.#drive(lane, this.#person(drawPlate(random, 'small-car'), 'tailgater', 'car', false), { kind: 'tailgate' }, 3_500, false);
          return;
        }
        break;
      case 12:
        this.#drive(lane, this.#blocked, { kind: 'drive' }, 3_000, false);
        return;
      default:
    }
    const outside = this.#people.filter((person) => person.whereabouts === 'outside');
    const residents = outside.filter((person) => person.tag === 'resident');
    const visitors = outside.filter((person) => person.tag === 'visitor');
    const person = random.chance(0.16) && visitors.length > 0 ? visitors[random.integer(0, visitors.length - 1)] : residents[random.integer(0, Math.max(0, residents.length - 1))];
    if (person === undefined) return;
    this.#drive(lane, person, this.#mood(), undefined, true);
  }

  #exit(lane: SimLane): void {
    const inside = this.#people.filter((person) => person.whereabouts === 'inside');
    const person = inside[this.#random.integer(0, Math.max(0, inside.length - 1))];
    if (person === undefined) return;
    this.#drive(lane, person, this.#mood(), undefined, true);
  }

  #mood(): Intention {
    const random = this.#random;
    switch (random.weighted({ drive: 22, hesitate: 2, 'stop-under': 1, shunt: 1 }, 'drive')) {
      case 'hesitate':
        return { kind: 'hesitate', atM: -2.4, forMs: random.between(900, 2_200) };
      case 'stop-under':
        return { kind: 'stop-under', forMs: random.between(1_200, 2_600) };
      case 'shunt':
        return { kind: 'shunt', times: 1, backToM: -3.4, then: 'drive' };
      default:
        return { kind: 'drive' };
    }
  }

  #drive(lane: SimLane, person: Person, intention: Intention, patienceMs: number | undefined, known: boolean): void {
    const plan: VehiclePlan = {
      kind: person.kind,
      plate: person.plate,
      tag: person.tag,
      intention: person.rearFirst ? { kind: 'drive' } : intention,
      speedMps: person.rearFirst ? 2.4 : intention.kind === 'tailgate' ? 6 : this.#random.between(3.4, 5.6),
      // Nobody waits for ever, not even those who ought to be let in: a demonstration must not stand still.
      patienceMs: patienceMs ?? 15_000,
      paint: person.paint,
      rearFirst: person.rearFirst && lane.spec.direction === 'entry',
      lateralM: this.#random.between(-0.18, 0.18),
    };
    const vehicle = lane.add(plan, this.#world.nowMs);
    if (known) person.whereabouts = 'moving';
    this.#moving.set(vehicle.id, { person: known ? person : undefined, lane: lane.spec.id });
  }

  #person(plate: SimPlate, tag: TruthTag, kind: VehicleKind, inside: boolean): Person {
    return { plate, tag, kind, paint: drawPaint(this.#random), rearFirst: false, whereabouts: inside ? 'inside' : 'outside' };
  }
}
