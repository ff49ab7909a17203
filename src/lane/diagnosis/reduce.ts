import type { LaneId } from '../../base/index.js';
import { absorbTrip, initialCrosstalk, judgeCrosstalk, type CrosstalkState } from './crosstalk.js';
import { absorbDrift, initialDrift, judgeDrift, type DriftState } from './drift.js';
import { absorbSign, initialFacts, isLoop, rises, type Happening, type LaneFacts, type View } from './facts.js';
import { absorbFlutter, initialFlutter, judgeFlutter, type FlutterState } from './flutter.js';
import { absorbMovement, initialMovement, judgeMovement, type MovementState } from './movement.js';
import { absorbSeen, initialSeen, judgeSeen, type SeenState } from './seen.js';
import type { DiagnosisSettings } from './settings.js';
import { absorbSilent, initialSilent, judgeSilent, type SilentState } from './silent.js';
import { absorbStuck, initialStuck, judgeStuck, type StuckState } from './stuck.js';
import type { DiagnosisInput, Evidence, Finding, FindingChange, FindingCode } from './types.js';
import { absorbUnsteady, initialUnsteady, judgeUnsteady, type UnsteadyState } from './unsteady.js';
import type { SensorName } from '../types.js';

/** One lane's sensors as the diagnosis remembers them: of bounded size, however long it runs. */
export interface LaneDiagnosis {
  readonly settings: DiagnosisSettings;
  readonly facts: LaneFacts;
  readonly stuck: StuckState;
  readonly silent: SilentState;
  readonly flutter: FlutterState;
  readonly unsteady: UnsteadyState;
  readonly movement: MovementState;
  readonly seen: SeenState;
  readonly drift: DriftState;
  readonly findings: readonly Finding[];
}

/** A whole gate: loops of different lanes can disturb each other. Plain data; absolute times are monotonic, ms. */
export interface DiagnosisState {
  readonly lanes: Readonly<Record<LaneId, LaneDiagnosis>>;
  readonly crosstalk: CrosstalkState;
}

/** Nothing known and nothing found: findings do not outlive a restart, they are found again. */
export function initialDiagnosis(lanes: readonly DiagnosisSettings[], nowMs: number): DiagnosisState {
  const lane = (settings: DiagnosisSettings): LaneDiagnosis => ({
    settings,
    facts: initialFacts(settings, nowMs),
    stuck: initialStuck,
    silent: initialSilent,
    flutter: initialFlutter,
    unsteady: initialUnsteady,
    movement: initialMovement,
    seen: initialSeen,
    drift: initialDrift,
    findings: [],
  });
  return { lanes: Object.fromEntries(lanes.map((settings) => [settings.lane, lane(settings)])), crosstalk: initialCrosstalk(lanes) };
}

/**
 * The diagnosis of all lanes as a function: what was known, what happens, and when (monotonic ms) give what is known and
 * which findings are raised and cleared by it. Pure. Time passes by `tick`, about once a second.
 */
export function diagnose(state: DiagnosisState, input: DiagnosisInput, nowMs: number): { readonly state: DiagnosisState; readonly changes: readonly FindingChange[] } {
  if (input.kind === 'tick') {
    let lanes = state.lanes;
    for (const [id, lane] of Object.entries(state.lanes)) lanes = { ...lanes, [id]: absorb(lane, { kind: 'tick' }, lane.facts, nowMs) };
    return settle({ ...state, lanes }, nowMs);
  }
  const lane = state.lanes[input.lane];
  if (lane === undefined) return { state, changes: [] };
  const { facts, happening } = absorbSign(lane.facts, input.sign, nowMs);
  if (happening === null) return { state, changes: [] };
  let { crosstalk } = state;
  let lanes = { ...state.lanes, [input.lane]: absorb(lane, happening, facts, nowMs) };
  if (rises(happening) && isLoop(happening.sensor)) {
    crosstalk = absorbTrip(crosstalk, lane.settings, facts, happening.sensor, happening.atMs);
    for (const [id, other] of Object.entries(lanes)) if (other.settings !== lane.settings) lanes = { ...lanes, [id]: { ...other, facts: { ...other.facts, neighbourMs: nowMs } } };
  }
  return settle({ lanes, crosstalk }, nowMs);
}

function absorb(lane: LaneDiagnosis, happening: Happening, facts: LaneFacts, nowMs: number): LaneDiagnosis {
  const view: View = { settings: lane.settings, facts, nowMs };
  const flutter = absorbFlutter(lane.flutter, happening, view);
  const seen = absorbSeen(lane.seen, happening, view);
  const silent = absorbSilent(lane.silent, happening, view, flutter, seen.unfelt);
  return {
    ...lane,
    facts,
    flutter,
    // A loop that is found silent disagrees with the camera for that reason.
    seen: silent.missed.approach >= lane.settings.missedVehicles ? { ...seen.state, felt: [] } : seen.state,
    silent,
    stuck: absorbStuck(lane.stuck, happening, view, seen.state.plateSeenMs),
    unsteady: absorbUnsteady(lane.unsteady, happening),
    movement: absorbMovement(lane.movement, happening, view),
    drift: absorbDrift(lane.drift, happening, view),
  };
}

/** What makes two findings one: they are raised and cleared once. */
function keyOf({ code, sensors, facts }: Evidence): string {
  if (code === 'input-unsteady') return code;
  return [code, ...sensors, facts['otherLane'] ?? '', facts['otherLoop'] ?? ''].join(' ');
}

/** One fault of a loop often shows in several of these ways: the first that is found stands for it. */
const ONE_FAULT: ReadonlySet<FindingCode> = new Set(['loop-flutter', 'loop-crosstalk', 'loop-disturbed-by-boom']);

function explained(evidence: Evidence, findings: readonly Finding[]): boolean {
  return ONE_FAULT.has(evidence.code) && findings.some(({ code, sensors }) => code !== evidence.code && ONE_FAULT.has(code) && sensors.some((sensor) => evidence.sensors.includes(sensor)));
}

function judge(lane: LaneDiagnosis, crosstalk: CrosstalkState, nowMs: number): readonly Evidence[] {
  const view: View = { settings: lane.settings, facts: lane.facts, nowMs };
  const active = (code: FindingCode, ...sensors: readonly SensorName[]): boolean =>
    lane.findings.some((finding) => finding.code === code && sensors.every((sensor) => finding.sensors.includes(sensor)));
  const found = [
    ...judgeStuck(lane.stuck, view, lane.seen.plateSeenMs, active),
    ...judgeSilent(lane.silent, view),
    ...judgeFlutter(lane.flutter, view, active),
    ...judgeUnsteady(lane.unsteady, view, active),
    ...judgeMovement(lane.movement, view, active),
    ...judgeSeen(lane.seen, view, active),
    ...judgeDrift(lane.drift, view, active),
    ...judgeCrosstalk(crosstalk, lane.settings, lane.facts),
  ];
  return found.filter((evidence) => !explained(evidence, lane.findings));
}

/** Compares what is wrong now with what is on record as raised. */
function settle(state: DiagnosisState, nowMs: number): { readonly state: DiagnosisState; readonly changes: readonly FindingChange[] } {
  let { lanes } = state;
  const changes: FindingChange[] = [];
  for (const [id, lane] of Object.entries(state.lanes)) {
    const now = new Map(judge(lane, state.crosstalk, nowMs).map((evidence) => [keyOf(evidence), evidence]));
    const before = new Map(lane.findings.map((finding) => [keyOf(finding), finding]));
    const cleared = lane.findings.filter((finding) => !now.has(keyOf(finding)));
    const raised = [...now].flatMap(([key, evidence]) => (before.has(key) ? [] : [{ ...evidence, sinceMs: nowMs }]));
    if (cleared.length === 0 && raised.length === 0) continue;
    lanes = { ...lanes, [id]: { ...lane, findings: [...lane.findings.filter((finding) => !cleared.includes(finding)), ...raised] } };
    changes.push(...cleared.map((finding) => ({ lane: id, change: 'cleared' as const, finding })), ...raised.map((finding) => ({ lane: id, change: 'raised' as const, finding })));
  }
  return { state: { ...state, lanes }, changes };
}
