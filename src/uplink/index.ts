export { keyFingerprint, requireEd25519, signCommand, signedBytes } from './command-signature.js';
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
  type EventMessage,
  type ReplyMessage,
  type StatusMessage,
  type TelemetryMessage,
} from './messages.js';
export type { LedgerReport } from './platform-ledger.js';
export { ReferencePlatform, type ReferencePlatformOptions } from './reference-platform.js';
export type { CommandOutcome, Desk, DeskReply, GateCommand, Received, UplinkOptions, UplinkSettings, UplinkState, UplinkTiming } from './types.js';
export { Uplink } from './uplink.js';
