export type { DiagnosisInput, Evidence, Finding, FindingChange, FindingCode, FindingFacts, LaneSign, LoopName } from './types.js';
export { diagnosisSettings, type DiagnosisSettings, type DiagnosisThresholds } from './settings.js';
export { diagnose, initialDiagnosis, type DiagnosisState, type LaneDiagnosis } from './reduce.js';
export { DiagnosisWatch, type DiagnosisWatchOptions, type LaneDiagnosisPort } from './watch.js';
