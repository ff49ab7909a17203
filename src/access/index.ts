export type { AccessRequest, Decision, DecisionOutcome, DecisionRule, VisitorClass } from './types.js';
