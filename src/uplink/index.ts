export { keyFingerprint, signCommand, signedBytes } from './command-signature.js';
export { ConfigDesk, type ConfigDeskOptions, type ConfigurationPort, type ConfigurationState } from './config-desk.js';
export { configReportSchema, desiredConfigSchema, type ConfigReport, type DesiredConfig } from './config-messages.js';
export { EmbeddedBroker } from './embedded-broker.js';
export {
  ackMessageSchema,
  commandMessageSchema,
  eventMessageSchema,
  eventSchema,
  replyMessageSchema,
  statusMessageSchema,
  telemetryMessageSchema,
  topicOf,
  type AckMessage,
  type CommandMessage,
  type DownTopic,
  type EventMessage,
  type ReplyMessage,
  type StatusMessage,
  type TelemetryMessage,
  type PhotographTopic,
  type UpTopic,
} from './messages.js';
export { ListDesk, type ListDeskOptions, type Lists } from './list-desk.js';
export { fullListPartSchema, listDeltaSchema, listEntrySchema, listMessageSchema, listReportSchema, type FullListPart, type ListDelta, type ListEntry, type ListReport } from './list-messages.js';
export type { EventPlace, TakenEdit } from './platform-edits.js';
export { PlatformLists, type KeptList, type ListBooks, type PlatformListsOptions } from './platform-lists.js';
export type { JournalState, LedgerEntry, LedgerNote, WireEvent } from './platform-journal.js';
export { GateLedger, type GateLedgerOptions, type LedgerReport, type Taken } from './platform-ledger.js';
export { ReferencePlatform, type GateName, type LedgerBooks, type ReferencePlatformOptions } from './reference-platform.js';
export type { CommandOutcome, Desk, DeskReply, GateCommand, Received, UplinkOptions, UplinkSettings, UplinkState, UplinkTiming } from './types.js';
export { Uplink } from './uplink.js';
