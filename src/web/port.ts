import type { JsonObject, LaneId } from '../base/index.js';
import type { ConfigurationView } from './configuration.js';
import type { ListsPort } from './lists.js';
import type { TechnicianPort } from './technician.js';

/**
 * Everything the page and the command line may ask of the running gate; implemented by `main.ts`. The web room knows
 * no other room's inside, so what it shows is plain JSON.
 */
export interface GatePort {
  /** Versions, uptime, epoch, lanes (LaneView), devices, vision, journal, uplink. */
  status(): Promise<JsonObject>;
  /** Newest first. `after`/`before` are sequences. */
  events(query: { after?: number; before?: number; limit: number; lane?: LaneId; newestFirst: boolean }): Promise<readonly JsonObject[]>;
  /** Newest photograph of a lane, JPEG bytes; undefined when the camera gives none. */
  photograph(lane: LaneId): Promise<Uint8Array | undefined>;
  /** Stored evidence by id. */
  evidence(id: string): Promise<Uint8Array | undefined>;
  /**
   * Orders a lane. Resolves when done; rejects with `COMMAND_*` or `LANE_UNKNOWN`.
   */
  command(command: { id: string; lane: LaneId; target: 'open' | 'close' | 'hold' | 'release' | 'stop' | 'fire' | 'fire-over'; issuer: string; reason: string }): Promise<JsonObject>;
  /** Live changes: `{kind: 'lane', …LaneView}`, `{kind: 'event', …StoredEvent}`, `{kind: 'track', …}`, `{kind: 'world', …}` in a simulation. */
  onLive(listener: (message: JsonObject) => void): () => void;
  /** Walks the journal's hash chain: `{checked, brokenAt}`, `brokenAt` null where it holds. Asked on the console only. */
  verifyJournal?(): Promise<JsonObject>;
  /** The platform's lists and what guards change in them; absent where the gate keeps none. */
  readonly lists?: ListsPort;
  /**
   * Makes a backup in the data directory: `{path, bytes, manifest}`. `onProgress` gets `{part, done, total}`. Rejects with
   * `BACKUP_FAILED`, `JOURNAL_CLOSED`. Asked on the console only.
   */
  backup?(evidence: boolean, onProgress: (progress: JsonObject) => void): Promise<JsonObject>;
  /** The configuration in force, and new ones for it; asked on the console only. Absent where none is taken. */
  readonly configuration?: ConfigurationView | undefined;
  /** Lines, tests and traffic for a technician; absent where there is no hardware to look at. */
  readonly technician?: TechnicianPort;
}
