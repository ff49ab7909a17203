export { checkLaneWorld, runLaneCampaign, type LaneCampaignOptions, type LaneCampaignReport, type LaneFailure } from './campaign.js';
export { harmlessKinds, laneFaultKinds, type LaneFaultKind } from './kinds.js';
export { planArbitrary, type LanePlan, type PlanOptions } from './plan.js';
export { playLane, type LaneWorldReport } from './player.js';
