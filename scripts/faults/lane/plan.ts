import fc from 'fast-check';
import type { Intention, TruthTag, VehicleKind } from '../../../src/sim/index.js';
import type { LaneFaultKind } from './kinds.js';

/** A lane as a site may have configured and built it. */
export interface PlannedLane {
  readonly direction: 'entry' | 'exit';
  readonly closing: 'gateway-closes' | 'barrier-closes';
  readonly drive: 'pulse' | 'hold-to-open';
  readonly antiTailgate: 0 | 1 | 2 | 3 | 4;
  readonly closeContact: boolean;
  readonly stopContact: boolean;
  readonly lamps: boolean;
  readonly beam: boolean;
  readonly openLimit: boolean;
  readonly closedLimit: boolean;
  readonly pulseMs: number;
  readonly deadTimeMs: number;
  readonly openTimeMs: number;
  readonly closeTimeMs: number;
  readonly closeDelayMs: number;
  readonly autoCloseMs: number;
  readonly earlyDecision: boolean;
  readonly learnRunTimes: boolean;
  readonly powerUp: 'close' | 'stay' | 'open';
  readonly softwareDeath: 'release' | 'open';
  readonly inputsLost: 'stay' | 'open';
  readonly relayLost: 'release' | 'open';
  /** Held open by the schedule from before the world begins until its third minute, by the wall clock. */
  readonly schedule: boolean;
  /** The relay board ends pulses by itself; else the driver does, as on bare GPIO. */
  readonly timesPulses: boolean;
  /** True run time of the motor by the configured one. */
  readonly motor: number;
}

export interface PlannedVehicle {
  /** After the one before. */
  readonly gapMs: number;
  readonly kind: VehicleKind;
  readonly tag: Extract<TruthTag, 'resident' | 'stranger' | 'tailgater' | 'emergency'>;
  readonly plated: boolean;
  readonly intention: Intention;
  readonly speedMps: number;
  readonly patienceMs: number;
  readonly queueGapM: number;
  readonly lateralM: number;
}

/** Somebody on foot under the arm, by the world's time. */
export interface PlannedWalker {
  readonly atMs: number;
  readonly forMs: number;
}

export interface PlannedFault {
  readonly kind: LaneFaultKind;
  readonly atMs: number;
  readonly forMs: number;
  /** Which of the lines that fit, 0 to 1. */
  readonly which: number;
  /** How bad, 0 to 1. */
  readonly strength: number;
}

/** A whole random world as data: the same plan always plays the same. */
export interface LanePlan {
  /** For what the world draws itself: paints, plates, the rhythm of a flickering contact. */
  readonly seed: number;
  readonly lane: PlannedLane;
  readonly vehicles: readonly PlannedVehicle[];
  readonly walkers: readonly PlannedWalker[];
  readonly faults: readonly PlannedFault[];
}

export interface PlanOptions {
  readonly traffic: 'orderly' | 'anything';
  /** Faults to draw from; none where empty. */
  readonly faults: readonly LaneFaultKind[];
  readonly mostVehicles: number;
}

/** Vehicles come about this far apart; faults are spread over as long as the traffic lasts. */
const meanGapMs = 7_000;
const meanFaultGapMs = 9_000;

function whole(min: number, max: number): fc.Arbitrary<number> {
  return fc.integer({ min, max });
}

/** Hundredths, so that a printed plan can be read and typed. */
function hundredths(min: number, max: number): fc.Arbitrary<number> {
  return whole(Math.round(min * 100), Math.round(max * 100)).map((value) => value / 100);
}

/** The first is the simplest: what a failure shrinks to. */
function weighted<const Value>(...choices: readonly (readonly [weight: number, value: Value])[]): fc.Arbitrary<Value> {
  return fc.oneof(...choices.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })));
}

const laneArbitrary: fc.Arbitrary<PlannedLane> = fc
  .record({
    direction: fc.constantFrom('entry', 'exit'),
    closing: weighted([7, 'gateway-closes'], [3, 'barrier-closes']),
    drive: weighted([3, 'pulse'], [1, 'hold-to-open']),
    antiTailgate: weighted([4, 0], [1, 1], [1, 2], [1, 3], [1, 4]),
    closeContact: fc.boolean(),
    stopContact: fc.boolean(),
    lamps: fc.boolean(),
    beam: weighted([6, true], [4, false]),
    limits: weighted([5, 'both'], [3, 'none'], [1, 'open'], [1, 'closed']),
    pulseMs: fc.constantFrom(400, 200, 500),
    deadTimeMs: fc.constantFrom(500, 200),
    openTimeMs: fc.constantFrom(1_800, 1_200, 3_000),
    slowerDownMs: fc.constantFrom(0, 300, 1_000),
    closeDelayMs: fc.constantFrom(1_000, 300),
    autoCloseMs: fc.constantFrom(8_000, 15_000),
    earlyDecision: weighted([7, true], [3, false]),
    learnRunTimes: weighted([7, true], [3, false]),
    powerUp: weighted([4, 'close'], [1, 'stay'], [1, 'open']),
    softwareDeath: weighted([3, 'release'], [1, 'open']),
    inputsLost: weighted([3, 'stay'], [1, 'open']),
    relayLost: weighted([3, 'release'], [1, 'open']),
    schedule: weighted([9, false], [1, true]),
    timesPulses: weighted([7, true], [3, false]),
    motor: hundredths(-1, 1),
  })
  .map(({ limits, slowerDownMs, motor, closeContact, antiTailgate, ...lane }): PlannedLane => {
    const openLimit = limits === 'both' || limits === 'open';
    const closedLimit = limits === 'both' || limits === 'closed';
    const pulses = lane.drive === 'pulse';
    return {
      ...lane,
      // As the check of the wiring asks for.
      softwareDeath: !pulses && lane.closing === 'gateway-closes' ? 'open' : lane.softwareDeath,
      closeContact: pulses && (lane.closing === 'gateway-closes' || closeContact),
      antiTailgate: antiTailgate === 4 && (!pulses || !lane.stopContact) ? 3 : antiTailgate,
      openLimit,
      closedLimit,
      closeTimeMs: lane.openTimeMs + slowerDownMs,
      // Without both switches the run times of the configuration are all that is known of the motor: they were measured.
      motor: 1 + motor * (openLimit && closedLimit ? 0.3 : 0.08),
    };
  });

const intentionArbitrary: fc.Arbitrary<Intention> = fc.oneof(
  { weight: 24, arbitrary: fc.constant<Intention>({ kind: 'drive' }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('hesitate'), atM: hundredths(-3.5, -1.4), forMs: whole(1_000, 8_000) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('back-out'), fromM: hundredths(-4.5, -0.7), forMs: whole(500, 4_000) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('stop-under'), forMs: whole(1_000, 25_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('shunt'), times: whole(1, 3), backToM: hundredths(-5.5, -3), then: weighted<'drive' | 'back-out'>([7, 'drive'], [3, 'back-out']) }),
  },
  { weight: 1, arbitrary: fc.constant<Intention>({ kind: 'force' }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cross'), atM: fc.constant(-4.2), forMs: whole(700, 2_500) }) },
  { weight: 1, arbitrary: fc.constant<Intention>({ kind: 'wrong-way' }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('peek'), fromM: hundredths(-3, -0.6), forMs: whole(500, 4_000) }) },
);

function vehicleArbitrary(traffic: PlanOptions['traffic']): fc.Arbitrary<PlannedVehicle> {
  const orderly = traffic === 'orderly';
  const kind = fc.oneof(
    ...(['car', 'suv', 'van', 'truck', 'truck-trailer', 'ambulance', ...(orderly ? [] : (['motorcycle'] as const))] as const).map((name) => ({
      weight: name === 'car' ? 10 : name === 'suv' ? 5 : name === 'van' ? 2 : 1,
      arbitrary: fc.constant<VehicleKind>(name),
    })),
  );
  const gap = fc.oneof(
    { weight: 7, arbitrary: whole(5_000, 12_000) },
    { weight: orderly ? 1 : 2, arbitrary: whole(400, 2_000) },
    // Bumper to bumper.
    { weight: orderly ? 0 : 1, arbitrary: whole(0, 300) },
  );
  return fc
    .record({
      gapMs: gap,
      kind,
      tag: orderly ? weighted<PlannedVehicle['tag']>([12, 'resident'], [4, 'stranger']) : weighted<PlannedVehicle['tag']>([12, 'resident'], [4, 'stranger'], [2, 'tailgater']),
      intention: orderly ? fc.constant<Intention>({ kind: 'drive' }) : intentionArbitrary,
      speedMps: hundredths(3, 6),
      patienceMs: whole(5_000, 14_000),
      queueGapM: orderly ? fc.constant(2.5) : hundredths(1.2, 3),
      lateralM: hundredths(-0.15, 0.15),
    })
    .map((drawn): PlannedVehicle => {
      const tag = drawn.kind === 'ambulance' ? 'emergency' : drawn.tag;
      return { ...drawn, tag, plated: drawn.kind !== 'motorcycle', intention: tag === 'tailgater' ? { kind: 'tailgate' } : drawn.intention };
    });
}

/** Random worlds of a sort; fast-check makes a failing one as small as it can. */
export function planArbitrary({ traffic, faults, mostVehicles }: PlanOptions): fc.Arbitrary<LanePlan> {
  const lastsMs = mostVehicles * meanGapMs;
  const [first, ...others] = faults;
  return fc.record({
    seed: fc.noShrink(whole(0, 0x7fff_ffff)),
    lane: laneArbitrary,
    vehicles: fc.array(vehicleArbitrary(traffic), { minLength: 1, maxLength: mostVehicles, size: 'max' }),
    walkers:
      traffic === 'orderly'
        ? fc.constant([])
        : fc.array(fc.record({ atMs: whole(0, lastsMs), forMs: whole(700, 2_500) }), { maxLength: Math.ceil(mostVehicles / 6), size: 'max' }),
    faults:
      first === undefined
        ? fc.constant([])
        : fc.array(
            fc.record({ kind: fc.constantFrom(first, ...others), atMs: whole(2_000, lastsMs), forMs: whole(500, 12_000), which: hundredths(0, 0.99), strength: hundredths(0, 1) }),
            { minLength: 1, maxLength: Math.ceil((2 * lastsMs) / meanFaultGapMs), size: 'max' },
          ),
  });
}
