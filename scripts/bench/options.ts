/** What the command line of the benches says; each bench takes what it knows. */
export interface BenchOptions {
  readonly json: boolean;
  /** Warm passages measured on each kind of hardware. */
  readonly passages?: number;
  readonly seconds?: number;
  /** Events that wait for the platform at the start. */
  readonly backlog?: number;
  /** Most events in a message. */
  readonly batch?: number;
  /** Events in the journal that is opened again after a kill. */
  readonly rows?: number;
  /** Rounds of writes to a journal and of bare syncs; or of lists. */
  readonly rounds?: number;
  /** How long the disk is made to take for a synchronisation, ms; as it takes by itself where omitted. */
  readonly syncMs?: number;
  /** Where the journal and the files beside it, or lists, are made; a folder for temporary files where omitted. */
  readonly directory?: string;
}
