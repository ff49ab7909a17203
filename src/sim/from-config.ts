import type { LaneConfig } from '../config/index.js';
import type { SimLaneSpec } from './lane.js';

/** The lane of the world that fits a configured lane: the same barrier, run times and sensors. */
export function simLaneSpec(lane: LaneConfig): SimLaneSpec {
  const { barrier, inputs } = lane;
  return {
    id: lane.id,
    name: lane.name,
    direction: lane.direction,
    closing: barrier.closing,
    drive: barrier.drive,
    openTimeMs: barrier.openTimeMs,
    closeTimeMs: barrier.closeTimeMs,
    deadTimeMs: barrier.deadTimeMs,
    beam: inputs.beam !== undefined,
    openLimit: inputs.openLimit !== undefined,
    closedLimit: inputs.closedLimit !== undefined,
    longestEnergisedMs: barrier.pulseMs + 300,
  };
}
