export { GENESIS_HASH, canonicalJson, eventId, hashOfEvent } from './canonical.js';
export { BatchBuilder } from './batch-builder.js';
export { listBackups, removeRemains, surplus, type ListedBackup } from './backup-list.js';
export { SqliteJournal, type SqliteJournalOptions } from './client.js';
export { openDatabase } from './database.js';
export type { BackupMade, BackupProgress } from './backup.js';
export { damageIn, type BackupFile, type BackupManifest, type Inspection } from './backup-manifest.js';
export type { BackupOptions, BatchLimits, BatchQuery, ClockKnowledge, EventBatch, EventQuery, EventType, EvidenceInfo, Journal, JournalOrigin, JournalStart, NewEvent, OutboxState, StoredEvent } from './types.js';
