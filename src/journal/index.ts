export { GENESIS_HASH, canonicalJson, eventId, hashOfEvent } from './canonical.js';
export { SqliteJournal, type SqliteJournalOptions } from './client.js';
export type { BatchQuery, EventBatch, EventQuery, EventType, EvidenceInfo, Journal, NewEvent, OutboxState, StoredEvent } from './types.js';
