export type { AccessRequest, Decision, DecisionOutcome, DecisionRule, VisitorClass } from './types.js';
export { decide, type OccupancyView, type TimedRequest } from './decide.js';
export { minutesOf, withinHours, withinWindows, type DaysWindow, type HoursWindow } from './hours.js';
export { buildLists, compileHousehold, compilePass, type AccessLists, type AccessPolicy, type AccessRules, type BuiltLists, type Household, type HouseholdRule, type Listing, type Listings, type OutsidePolicy, type VisitorPass, type VisitorRule } from './lists.js';
export { Occupancy, type Inside, type OccupancyChange } from './occupancy.js';
export { AccessRepository, type AccessCounts, type AccessStore, type ListingsOver, type PassageRecord } from './repository.js';
