export { GENESIS_HASH, canonicalJson, eventId, hashOfEvent } from './canonical.js';
export { BatchBuilder } from './batch-builder.js';
export { SqliteJournal, type SqliteJournalOptions } from './client.js';
export type { BatchLimits, BatchQuery, EventBatch, EventQuery, EventType, EvidenceInfo, Journal, JournalOrigin, JournalStart, NewEvent, OutboxState, StoredEvent } from './types.js';
