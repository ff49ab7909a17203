import type { LaneId, MachineBoot, PassageId } from '../base/index.js';
import type { BatchQuery, ClockKnowledge, EventBatch, EventQuery, EventType, EvidenceInfo, JournalStart } from './types.js';

/** The main process's clocks; the journal thread has none of its own, so that monotonic times share one start. */
export interface Moment {
  readonly wallMs: number;
  readonly monoMs: number;
  readonly clockTrusted: boolean;
  /** False: trusted, but by nobody whose word moves the bound of wall time. */
  readonly clockVouched?: boolean;
}

export interface AppendOp extends Moment {
  readonly op: 'append';
  readonly type: EventType;
  readonly lane: LaneId | null;
  readonly passage: PassageId | null;
  /** Canonical JSON. */
  readonly payloadText: string;
}

/** A change of the database; the ones that wait together share one transaction and one fsync. */
export type WriteOp =
  | AppendOp
  | { readonly op: 'acknowledge'; readonly seq: number; readonly epoch?: number }
  | { readonly op: 'remember'; readonly key: string; readonly value: string }
  | { readonly op: 'know-clock'; readonly known: ClockKnowledge }
  | { readonly op: 'doubt-clock'; readonly wallMs: number }
  | { readonly op: 'forget'; readonly key: string };

export type Ask =
  | { readonly ask: 'events'; readonly query: EventQuery }
  | { readonly ask: 'eventBatches'; readonly query: BatchQuery }
  | { readonly ask: 'outbox' }
  | { readonly ask: 'recall'; readonly key: string }
  | { readonly ask: 'recallAll'; readonly prefix: string }
  | { readonly ask: 'evidence'; readonly passage: PassageId }
  | { readonly ask: 'readEvidence'; readonly id: string }
  | { readonly ask: 'saveEvidence'; readonly passage: PassageId; readonly kind: EvidenceInfo['kind']; readonly jpeg: Uint8Array }
  | { readonly ask: 'verify' }
  | { readonly ask: 'maintain' };

export interface Answers {
  /** Each a `StoredEvent` as JSON. */
  readonly events: readonly string[];
  readonly eventBatches: readonly EventBatch[];
  readonly outbox: { readonly head: number; readonly acknowledged: number };
  readonly recall: string | undefined;
  readonly recallAll: readonly (readonly [string, string])[];
  readonly evidence: readonly EvidenceInfo[];
  readonly readEvidence: Uint8Array | undefined;
  readonly saveEvidence: EvidenceInfo;
  readonly verify: { readonly checked: number; readonly brokenAt: number | null };
  /** True when there is more to tidy: ask again soon. */
  readonly maintain: boolean;
}

/** Where backups lie that nobody asked for by hand. */
export interface ExpendableBackups {
  readonly directory: string;
  readonly prefix: string;
}

export interface Batch {
  /** Grows by one per batch of a client; a batch sent again after a crash is recognised by it. */
  readonly number: number;
  readonly moment: Moment;
  /** Events the client had to give up since the last batch, for the record. */
  readonly unstored: number;
  readonly writes: readonly WriteOp[];
}

export type ToThread =
  /** `moment`: now; that of the batch is when it was made. */
  | { readonly kind: 'batch'; readonly batch: Batch; readonly moment: Moment }
  | { readonly kind: 'ask'; readonly id: number; readonly moment: Moment; readonly ask: Ask }
  | { readonly kind: 'close' };

export interface PlainError {
  readonly code: string;
  readonly message: string;
}

export interface Committed {
  readonly number: number;
  readonly epoch: number;
  /** Sequence of the batch's first event; 0 when it has none. */
  readonly first: number;
  /** Hash before the first event, hex. */
  readonly previousHash: string;
  /** Hashes of the batch's events, 64 hex digits each, joined. */
  readonly hashes: string;
  /** Writes that were refused, by their place in the batch. */
  readonly refused: readonly { readonly index: number; readonly error: PlainError }[];
  readonly outbox: Answers['outbox'];
}

export type FromThread =
  | ({ readonly kind: 'ready' } & Omit<JournalStart, 'gateId'>)
  | { readonly kind: 'failed'; readonly error: PlainError }
  | { readonly kind: 'committed'; readonly committed: Committed; readonly own: readonly string[] }
  /** `again`: a later try may succeed. */
  | { readonly kind: 'rejected'; readonly number: number; readonly error: PlainError; readonly again: boolean }
  /** What the journal recorded about itself, each a `StoredEvent` as JSON. */
  | { readonly kind: 'own'; readonly events: readonly string[] }
  | { readonly kind: 'answer'; readonly id: number; readonly value: Answers[keyof Answers] }
  | { readonly kind: 'refusal'; readonly id: number; readonly error: PlainError }
  | { readonly kind: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly facts: object; readonly message: string }
  | { readonly kind: 'closed' };

export interface Retention {
  readonly eventsDays: number;
  /** Most megabytes (10^6 bytes) of events; the oldest acknowledged ones go first. */
  readonly eventsMB: number;
  /** Whole pictures. */
  readonly photographsDays: number;
  /** Cut-out plates: small, and what a later question is about. */
  readonly platePicturesDays: number;
  /** Both kinds together; the oldest whole pictures go first. */
  readonly photographsMB: number;
}

export interface ThreadOptions {
  readonly directory: string;
  readonly gateId: string;
  /** Names one run of the daemon; the same for every thread started in it. */
  readonly client: string;
  /** Epoch to go on with after the thread crashed; undefined begins a new one. */
  readonly epoch: number | undefined;
  readonly moment: Moment;
  /** Run of the machine; undefined where it is not known. */
  readonly boot?: MachineBoot | undefined;
  /** Epoch of a journal that begins with nothing: 1, or one that no earlier journal of this gate can have had. */
  readonly firstEpoch: 'one' | 'unused';
  readonly retention: Retention;
  readonly ballastBytes: number;
  /** Backups that give way on a full disk: folders in `directory` whose names begin with `prefix`. */
  readonly expendable?: ExpendableBackups | undefined;
  /** Set to 1 to end a backup under way: it keeps the log from being emptied. */
  readonly endBackup: Int32Array;
  /** Keep the database locked: for file systems without shared memory maps. The sqlite3 shell cannot look in then. */
  readonly exclusive: boolean;
}

/** Bytes of canonical payload one event may have. */
export const MOST_PAYLOAD_BYTES = 64 * 1024;
/** Rows one query may return. */
export const MOST_ROWS = 5_000;
