import type { ClockSource, JsonObject, LaneId, PassageId } from '../base/index.js';

/** Kinds of journalled events. The prefix names the room that says it. */
export type EventType =
  | 'gate.started'
  | 'gate.stopped'
  | 'gate.taken-over'
  | 'passage.foreseen'
  | 'passage.started'
  | 'passage.read'
  | 'passage.decided'
  | 'passage.photographed'
  | 'passage.ended'
  | 'boom.opening'
  | 'boom.closing'
  | 'boom.stopped'
  | 'boom.fault'
  | 'boom.learned'
  | 'lane.attention'
  | 'lane.attention-cleared'
  | 'input.fault'
  | 'input.cleared'
  | 'diagnosis.raised'
  | 'diagnosis.cleared'
  | 'device.lost'
  | 'device.recovered'
  | 'device.tested'
  | 'camera.lost'
  | 'camera.recovered'
  | 'vision.lost'
  | 'vision.recovered'
  | 'command.accepted'
  | 'command.done'
  | 'command.failed'
  | 'command.refused'
  | 'config.staged'
  | 'config.applied'
  | 'config.refused'
  | 'config.returned'
  | 'list.applied'
  | 'list.refused'
  | 'list.damaged'
  | 'list.edited'
  | 'clock.trusted'
  | 'clock.stepped'
  | 'clock.backwards'
  | 'clock.bound-lowered'
  | 'journal.recovered'
  | 'journal.lost'
  | 'journal.backup-failed'
  | 'journal.backup-recovered'
  | 'uplink.duplicate-client'
  | 'uplink.recovered';

/** What a room hands to the journal; number, hash and times of record are the journal's. */
export interface NewEvent {
  readonly type: EventType;
  readonly lane?: LaneId;
  readonly passage?: PassageId;
  readonly payload: JsonObject;
}

/** One row of the journal, as stored, shown and sent. */
export interface StoredEvent {
  /** `{gateId}-{epoch}-{seq}`; the platform's key against doubles. */
  readonly id: string;
  /** Boot epoch: grows at every start of the journal, by one while it knows the last one. */
  readonly epoch: number;
  /** Contiguous per gate over all epochs, from 1, never reused; at most 2^53 - 1. A range it jumps is declared lost. */
  readonly seq: number;
  readonly type: EventType;
  readonly lane: LaneId | null;
  readonly passage: PassageId | null;
  /** Wall time as believed when handed over, ms since 1970. */
  readonly wallMs: number;
  /** Monotonic time of this boot, ms. */
  readonly monoMs: number;
  readonly clockTrusted: boolean;
  /**
   * Where the clock was not trusted: the true wall time, ms, once it is known. Reckoned from the monotonic time whenever the
   * event is read, so it is neither stored nor hashed.
   */
  readonly correctedWallMs?: number;
  /** Where it never became known: the true wall time lies not before and not after these, as far as they are known. As above. */
  readonly wallNotBeforeMs?: number;
  readonly wallNotAfterMs?: number;
  readonly payload: JsonObject;
  /** SHA-256 (hex) of the previous event's canonical form; chain of the whole journal. */
  readonly previousHash: string;
  readonly hash: string;
}

/**
 * How a journal came to be as it is when it started: `new` on an empty directory; `continued` as it was left; `recovered`
 * from a damaged or missing database; `rolled-back` to an older copy; `restored` from a backup; `guard-lost` where only the
 * database is there; `record-lost` where a journal was and nothing of it can be read.
 */
export type JournalOrigin = 'new' | 'continued' | 'recovered' | 'rolled-back' | 'restored' | 'guard-lost' | 'record-lost';

/** A moment of a boot epoch at which wall time was known. */
export interface ClockKnowledge {
  readonly wallMs: number;
  readonly monoMs: number;
  readonly source: ClockSource;
}

export interface JournalStart {
  readonly gateId: string;
  readonly epoch: number;
  readonly origin: JournalOrigin;
  /** Latest wall time that was vouched for, ms; no true time lies before it. 0 for none. */
  readonly wallHighMs: number;
  /** Wall time as known last in this run of the machine, in this epoch's monotonic time. */
  readonly clockKnown: ClockKnowledge | null;
  /** Earlier epochs of this run of the machine: `monoMs` of their events plus `behindMs` is this epoch's monotonic time. */
  readonly sameBoot: readonly { readonly epoch: number; readonly behindMs: number }[];
}

export interface OutboxState {
  /** Highest sequence that is durable. */
  readonly head: number;
  /** Everything up to here the platform has ingested. */
  readonly acknowledged: number;
}

export interface EventQuery {
  /** Only events with a sequence above. */
  readonly after?: number;
  /** Only events with a sequence below; with `newestFirst` this pages back. */
  readonly before?: number;
  readonly limit: number;
  readonly newestFirst?: boolean;
  readonly lane?: LaneId;
  readonly types?: readonly EventType[];
  readonly passage?: PassageId;
}

export interface BatchLimits {
  /** Most events in one batch. */
  readonly events: number;
  /** Most bytes of one batch as UTF-8; a single event always fits. */
  readonly bytes: number;
}

/** Asks for events as they go out: in order, several to a message. */
export interface BatchQuery extends BatchLimits {
  /** Only events with a sequence above. */
  readonly after: number;
  /** Only events with a sequence below. */
  readonly before: number;
  /** So many, or a few more: a block that is read to be held against its digest comes to its end. */
  readonly batches: number;
}

/** Events in a row, as they go out. */
export interface EventBatch {
  /** The sequences it stands for, gaps included. */
  readonly first: number;
  readonly last: number;
  /** Those among them that the journal does not hold, and never will. */
  readonly lost: readonly { readonly first: number; readonly last: number }[];
  /**
   * The `event` message of the contract as UTF-8, `{historical, lost, events}`: made where the events are read, in memory of
   * its own that goes from thread to thread without a copy.
   */
  readonly message: Uint8Array<ArrayBuffer>;
}

export interface EvidenceInfo {
  /** SHA-256 (hex) of the bytes; also the file's name. */
  readonly id: string;
  readonly passage: PassageId;
  readonly kind: 'frame' | 'plate';
  readonly bytes: number;
  readonly wallMs: number;
}

/** Asks for a backup, see `makeBackup`. */
export interface BackupOptions {
  /** Folder that the backup, itself a folder, is made in. */
  readonly into: string;
  readonly name: string;
  /** Also photographs. */
  readonly evidence: boolean;
  /** Text of the configuration file, without secrets. */
  readonly config?: string;
  readonly release: string;
}

/**
 * The journal as the other rooms see it: a client of the one thread that owns SQLite. Nothing here blocks.
 */
export interface Journal {
  /** Opens, checks and repairs the store, begins a boot epoch. Rejects with `JOURNAL_*`. */
  start(): Promise<JournalStart>;
  /** Waits for what was handed over, then closes. */
  stop(): Promise<void>;
  /**
   * Hands an event over. The event counts as handed (S9) when this returns; the promise resolves once it is on disk
   * (fsync), in the order of the calls.
   */
  append(event: NewEvent): Promise<StoredEvent>;
  /** Called for every event once durable, in order. Returns the way to stop. */
  onStored(listener: (events: readonly StoredEvent[]) => void): () => void;
  events(query: EventQuery): Promise<readonly StoredEvent[]>;
  /** Batches without a gap between them, from `after` on; none where no event is left. Their text is made beside the main loop. */
  eventBatches(query: BatchQuery): Promise<readonly EventBatch[]>;
  outbox(): Promise<OutboxState>;
  /**
   * The platform has ingested everything up to `seq`. A sequence above the head is refused. It is on the disk with the next
   * event, or within a minute or so, and never moves back but by a power cut before that: then the platform is sent some
   * events again.
   * @param epoch of the event with that sequence, as the platform has it: another one than here is refused, because what
   * was ingested is then of another journal (an exchanged card, a retained message of long ago)
   */
  acknowledge(seq: number, epoch?: number): Promise<OutboxState>;
  /** Small durable facts of other rooms (occupancy, known command ids), written in the same order as events. */
  remember(key: string, value: JsonObject): Promise<void>;
  recall(key: string): Promise<JsonObject | undefined>;
  recallAll(prefix: string): Promise<ReadonlyMap<string, JsonObject>>;
  forget(key: string): Promise<void>;
  /**
   * Wall time is known at a moment of this epoch. From here on the events that this run of the machine recorded under an
   * untrusted clock are read and sent with `correctedWallMs`, also those of earlier epochs.
   */
  knowClock(known: ClockKnowledge): Promise<void>;
  /** Wall times on record after `wallMs` were wrong: `wallHighMs` falls to it, and what was reckoned from them is dropped. */
  doubtClock(wallMs: number): Promise<void>;
  /** An event of this epoch with what is known of its time by now. */
  corrected(event: StoredEvent): StoredEvent;
  /** Stores a JPEG as a content-addressed file and links it to its passage. */
  saveEvidence(passage: PassageId, kind: EvidenceInfo['kind'], jpeg: Uint8Array): Promise<EvidenceInfo>;
  evidence(passage: PassageId): Promise<readonly EvidenceInfo[]>;
  readEvidence(id: string): Promise<Uint8Array | undefined>;
  /** Walks the chain; says the first sequence at which it breaks. */
  verify(): Promise<{ readonly checked: number; readonly brokenAt: number | null }>;
}
