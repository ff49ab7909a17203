/** The face of this room for readers of the gate's JSON: shapes and words, without the server and all it loads. */
export { controlSocketPath } from './control-socket.js';
export { deviceChangeSchema, deviceTableSchema, trafficSchema, type DeviceChangeData, type DeviceHealthData, type DeviceLineData, type DeviceTableData } from './messages.js';
export { errorSchema, eventSchema, eventsSchema, laneSchema, liveSchema, statusSchema, type EventData, type FindingData, type LaneData, type StatusData } from './messages.js';
export { describeEvent, type EventLine } from './words/describe-event.js';
export { timeOfEvent, type EventTime } from './words/event-time.js';
export { english, type Words } from './words/en.js';
export { findingWords } from './words/finding.js';
export { attentionWords, word } from './words/look-up.js';
export { chinese } from './words/zh.js';
