import type { PassageId, SignalState } from '../base/index.js';
import { fireInForce, positionAt } from './facts.js';
import type { LaneState, Passage } from './state.js';
import type { Finding } from './diagnosis/index.js';
import type { LaneView, SensorName } from './types.js';

/** What a passage is doing, in one word for a page. */
export function phaseOf(passage: Passage): string {
  if (passage.place === 'expected') return 'expected';
  if (passage.place === 'leaving' || passage.place === 'outbound') return 'leaving';
  if (passage.place === 'closing' || passage.place === 'both') return 'passing';
  if (passage.clearedBy !== null) return 'admitted';
  if (passage.request !== null) return 'deciding';
  const outcome = passage.decision?.outcome;
  return outcome === 'refuse' ? 'refused' : outcome === 'ask' ? 'asking' : 'reading';
}

/** The passage people look at: who stands before the boom, else who is under it, else the last one here. */
function shownPassage(state: LaneState): Passage | null {
  const { passages } = state;
  return passages.find((passage) => passage.place === 'approach') ?? passages.find((passage) => passage.place !== 'leaving') ?? passages[0] ?? null;
}

/**
 * The lane for a page, the command line and telemetry.
 * @param nameOf the gate-wide id of a passage key
 * @param findings of the diagnosis, which watches beside the lane
 */
export function viewOf(state: LaneState, nowMs: number, nameOf: (key: string) => PassageId, findings: readonly Finding[]): LaneView {
  const signals = Object.entries(state.sensors).map(([sensor, { state: signal }]) => [sensor, signal] as const);
  const sensors: Partial<Record<SensorName, SignalState>> = Object.fromEntries(signals);
  const faults = signals.filter(([, signal]) => signal === 'unknown' || signal === 'fault').map(([sensor]) => `input-fault:${sensor}`);
  const passage = shownPassage(state);
  return {
    lane: state.settings.lane,
    name: state.settings.name,
    direction: state.settings.direction,
    boom: state.boom.state,
    boomPosition: positionAt(state, nowMs),
    held: state.held,
    heldBySchedule: state.schedule === 'holds',
    fire: fireInForce(state),
    lamp: state.lamp.shown,
    sensors,
    visionAvailable: state.visionAvailable,
    attention: [...state.attention, ...faults],
    findings,
    passage: passage === null ? null : { id: nameOf(passage.key), phase: phaseOf(passage), plate: passage.plate, decision: passage.decision },
    counts: state.counts,
  };
}
