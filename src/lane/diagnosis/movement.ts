import { heldMs, keep, pulseOf, rises, stateOf, type Happening, type View } from './facts.js';
import type { BoomState, SensorName } from '../types.js';
import { LOOPS, type Evidence, type FindingCode, type LoopName } from './types.js';

/** A loop still answers the arm so shortly after it has come to rest. */
const AFTER_MS = 300;
/** Movements remembered: about six each way. */
const KEPT = 12;
const JUDGED = 6;
/** What the arm does to a loop is over so soon after the arm is at rest. */
const LINGERS_MS = 2_000;
/** Beyond the run time a boom without a word from its switch has arrived. */
const SETTLE_MS = 400;
/** Whole runs in a row without the switch. */
const RUNS = 2;
const BOTH_ON_MS = 1_000;

type LimitName = 'openLimit' | 'closedLimit';

const LIMITS: readonly LimitName[] = ['openLimit', 'closedLimit'];

interface Movement {
  readonly serial: number;
  readonly direction: 'up' | 'down';
  /** Loops it tripped. */
  readonly tripped: readonly LoopName[];
}

export interface MovementState {
  /** The newest last; it may still be going on. */
  readonly movements: readonly Movement[];
  readonly endedMs: number | null;
  /** Loops that tripped while the boom moved, and what cleared the closing loop last before. */
  readonly suspects: Readonly<Partial<Record<LoopName, { readonly serial: number; readonly onMs: number; readonly clearedMs: number }>>>;
  /** Limit switches that were on together and have not let go since. */
  readonly disputed: readonly LimitName[];
  /** Whole runs in a row that did not reach a switch. */
  readonly unreached: Readonly<Record<LimitName, number>>;
}

export const initialMovement: MovementState = { movements: [], endedMs: null, suspects: {}, disputed: [], unreached: { openLimit: 0, closedLimit: 0 } };

export function isUp(boom: BoomState): boolean {
  return boom === 'open' || boom === 'opening';
}

function directionOf(boom: BoomState): Movement['direction'] | null {
  return boom === 'opening' ? 'up' : boom === 'closing' ? 'down' : null;
}

export function absorbMovement(state: MovementState, happening: Happening, view: View): MovementState {
  if (happening.kind === 'boom') return moves(state, happening, view);
  if (happening.kind === 'tick') return dispute(state, view);
  if (happening.kind !== 'edge') return state;
  if (happening.to === 'off' && state.disputed.some((limit) => limit === happening.sensor)) return { ...state, disputed: state.disputed.filter((limit) => limit !== happening.sensor) };
  if (rises(happening)) return suspect(state, happening.sensor, happening.atMs, view);
  const pulse = pulseOf(happening);
  return pulse === null ? state : acquit(state, pulse.sensor, pulse.lengthMs, view);
}

/** Both switches on for longer than a bounce. */
function dispute(state: MovementState, view: View): MovementState {
  return Math.min(...LIMITS.map((limit) => heldMs(view, limit, 'on'))) >= BOTH_ON_MS ? { ...state, disputed: LIMITS } : state;
}

function moves(state: MovementState, { from, to, heldMs }: Extract<Happening, { kind: 'boom' }>, view: View): MovementState {
  const ended = directionOf(from);
  const begun = directionOf(to);
  const after = ended === null ? state : { ...state, unreached: countRun(state, ended, heldMs, view) };
  if (begun === null) return { ...after, endedMs: ended === null ? state.endedMs : view.nowMs };
  const serial = (state.movements.at(-1)?.serial ?? 0) + 1;
  return { ...after, movements: keep(state.movements, { serial, direction: begun, tripped: [] }, KEPT), endedMs: null };
}

function countRun({ unreached }: MovementState, direction: Movement['direction'], ranMs: number, { facts, settings, nowMs }: View): MovementState['unreached'] {
  const limit: LimitName = direction === 'up' ? 'openLimit' : 'closedLimit';
  const runMs = direction === 'up' ? settings.openTimeMs : settings.closeTimeMs;
  const signal = stateOf(facts, limit);
  if (signal === 'on') return { ...unreached, [limit]: 0 };
  // A barrier's own board begins later than the lane thinks; the switch it leaves tells when.
  const from = facts.sensors[direction === 'up' ? 'closedLimit' : 'openLimit'];
  const underWayMs = from === undefined ? ranMs : from.state === 'on' ? 0 : Math.min(ranMs, nowMs - from.offMs);
  // A run taken back half-way says nothing.
  return signal === 'off' && underWayMs >= runMs + SETTLE_MS ? { ...unreached, [limit]: unreached[limit] + 1 } : unreached;
}

/** A loop trips while the arm moves. */
function suspect(state: MovementState, sensor: SensorName, atMs: number, { facts, settings }: View): MovementState {
  if (sensor === 'openLimit' || sensor === 'closedLimit') return { ...state, unreached: { ...state.unreached, [sensor]: 0 } };
  const loop = LOOPS.find((it) => it === sensor);
  const movement = state.movements.at(-1);
  if (loop === undefined || movement === undefined) return state;
  const moving = state.endedMs === null || atMs <= state.endedMs + AFTER_MS;
  const withNeighbour = atMs - facts.neighbourMs <= settings.crosstalkWindowMs;
  // An arriving vehicle trips the approach loop while the boom rises for it; while it falls none goes away so soon.
  if (!moving || withNeighbour || (loop === 'approach' && movement.direction === 'up')) return { ...state, suspects: { ...state.suspects, [loop]: undefined } };
  return { ...state, suspects: { ...state.suspects, [loop]: { serial: movement.serial, onMs: atMs, clearedMs: facts.sensors.closing?.offMs ?? 0 } } };
}

/** The loop has cleared: could a vehicle have been there? */
function acquit(state: MovementState, sensor: SensorName, lengthMs: number, view: View): MovementState {
  const loop = LOOPS.find((it) => it === sensor);
  const it = loop === undefined ? undefined : state.suspects[loop];
  if (loop === undefined || it === undefined) return state;
  const suspects = { ...state.suspects, [loop]: undefined };
  if (!(loop === 'closing' ? nobodyUnder(it, lengthMs, view) : nobodyBefore(it, lengthMs, view))) return { ...state, suspects };
  const movements = state.movements.map((movement) => (movement.serial === it.serial && !movement.tripped.includes(loop) ? { ...movement, tripped: [...movement.tripped, loop] } : movement));
  return { ...state, suspects, movements };
}

/** Nobody left the approach loop since the closing loop last cleared, nothing broke the beam, and it was over with the run. */
function nobodyUnder(it: { readonly onMs: number; readonly clearedMs: number }, lengthMs: number, { facts, settings }: View): boolean {
  const { approach, beam } = facts.sensors;
  const empty = approach?.state === 'off' && approach.offMs <= it.clearedMs;
  const dark = beam !== undefined && (beam.state !== 'off' || beam.offMs >= it.onMs);
  return empty && !dark && lengthMs <= Math.max(settings.openTimeMs, settings.closeTimeMs) + LINGERS_MS;
}

function nobodyBefore(it: { readonly onMs: number }, lengthMs: number, { facts }: View): boolean {
  const { closing } = facts.sensors;
  return closing?.state === 'off' && closing.offMs < it.onMs && lengthMs <= LINGERS_MS;
}

/** The arm trips loops, or does not reach its switches. */
export function judgeMovement(state: MovementState, { settings }: View, active: (code: FindingCode, ...sensors: SensorName[]) => boolean): readonly Evidence[] {
  const found: Evidence[] = [];
  for (const loop of LOOPS) {
    for (const direction of ['up', 'down'] as const) {
      const same = state.movements.filter((movement) => movement.direction === direction).slice(-JUDGED);
      const times = same.filter(({ tripped }) => tripped.includes(loop)).length;
      if (times >= (active('loop-disturbed-by-boom', loop) ? 1 : settings.disturbedMovements)) {
        found.push({ code: 'loop-disturbed-by-boom', sensors: [loop], facts: { direction, times, of: same.length } });
      }
    }
  }
  for (const limit of LIMITS) {
    if (state.unreached[limit] >= RUNS) found.push({ code: 'limit-never-reached', sensors: [limit], facts: { times: state.unreached[limit] } });
  }
  if (state.disputed.length > 0) found.push({ code: 'limits-both-on', sensors: LIMITS, facts: {} });
  return found;
}
