export type { AccessRequest, Decision, DecisionOutcome, DecisionRule, VisitorClass } from './types.js';
export { decide, type OccupancyView, type TimedRequest } from './decide.js';
export { minutesOf, withinHours, withinWindows, type DaysWindow, type HoursWindow } from './hours.js';
export { buildLists, type AccessLists, type AccessPolicy, type AccessRules, type Household, type Listing, type OutsidePolicy, type VisitorPass } from './lists.js';
export { Occupancy, type Inside, type OccupancyChange } from './occupancy.js';
export { AccessRepository, type AccessCounts, type AccessStore, type PassageRecord } from './repository.js';
