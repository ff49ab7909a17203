import { GateError, errorText, isGateError } from '../base/index.js';
import { compareKeys, digestOfLines, keyOf, lineOf } from './digest.js';
import { ListFiles, type FileHead } from './files.js';
import { MOST_ENTRIES, listEntrySchema, listMessageSchema, type ListEntry, type ListMessage } from './messages.js';
import type { ListOutcome, ListRefusal, LoadOutcome, LoadedList } from './protocol.js';
import { buildTable } from './table.js';

/** Faults of a message that are told in its answer. */
const MOST_FAULTS = 5;
const MOST_IGNORED_TOLD = 20;
/** A file remembers the edits of this many newest acknowledgements, for one that the journal could not let go in time. */
const MOST_MERGED = 1_000;

type Delta = Extract<ListMessage, { kind: 'delta' }>;
type Part = Extract<ListMessage, { kind: 'full' }>;

interface Row {
  readonly key: string;
  readonly line: string;
  readonly entry: ListEntry;
}

/** A full list on its way in. */
interface Assembly {
  readonly version: number;
  readonly digest: string;
  readonly parts: readonly (readonly Row[] | undefined)[];
  readonly merged: ReadonlySet<string>;
}

type Held = Pick<FileHead, 'version' | 'digest' | 'merged'>;

const REFUSALS: readonly ListRefusal[] = ['LIST_BASE_UNKNOWN', 'LIST_CONFLICT', 'LIST_DIGEST_WRONG', 'LIST_INCOMPLETE', 'LIST_INVALID', 'LIST_WRITE_FAILED'];

/**
 * Takes lists in: puts parts together, applies changes, proves the digest, writes, and only then says that a list is
 * there. Runs in a thread of its own; nothing here needs to be quick. Until the whole is proved and on disk, the list
 * before stays what it was.
 */
export class ListCore {
  readonly #files: ListFiles;
  #held: Held | undefined;
  #assembly: Assembly | undefined;

  constructor(directory: string) {
    this.#files = new ListFiles(directory);
  }

  /** Brings back the last good list. */
  load(): LoadOutcome {
    const damaged: LoadOutcome['damaged'][number][] = [];
    const stored = this.#files.newest((file, why) => damaged.push({ file, why }));
    if (stored === undefined) return { list: undefined, damaged };
    const { head, text } = stored;
    this.#held = head;
    return { list: loaded(head, rowsOf(text)), damaged };
  }

  /** Takes a message in. What is wrong with it comes back as a refusal. */
  take(payload: Uint8Array): ListOutcome {
    let version: number | null = null;
    try {
      const value = parseJson(payload);
      version = versionOf(value);
      const message = checked(value);
      return message.kind === 'full' ? this.#part(message) : this.#delta(message);
    } catch (error) {
      const code = isGateError(error) ? REFUSALS.find((one) => one === error.code) : undefined;
      if (code !== undefined) return { kind: 'refused', version, code, reason: errorText(error).slice(code.length + 2) };
      throw error;
    }
  }

  /** Gives up what is on its way in. */
  abandon(): ListOutcome {
    const assembly = this.#assembly;
    if (assembly === undefined) return { kind: 'repeated', version: this.#held?.version ?? 0, merged: [] };
    this.#assembly = undefined;
    const missing = missingOf(assembly);
    const told = `${missing.slice(0, 20).join(', ')}${missing.length > 20 ? ', …' : ''}`;
    return { kind: 'refused', version: assembly.version, code: 'LIST_INCOMPLETE', reason: `${missing.length} of ${assembly.parts.length} parts did not come: ${told}; send the whole list again` };
  }

  #part(message: Part): ListOutcome {
    const { version, digest, part, parts, entries, merged } = message;
    const known = this.#known(version, digest, merged);
    if (known !== undefined) return known;
    if (part > parts) throw new GateError('LIST_INVALID', `part ${part} of ${parts}; parts count from 1`);
    let assembly = this.#assembly;
    if (assembly !== undefined && version < assembly.version) return { kind: 'repeated', version, merged: [] };
    if (assembly?.version !== version || assembly.digest !== digest || assembly.parts.length !== parts) {
      assembly = { version, digest, parts: Array.from({ length: parts }, () => undefined), merged: new Set() };
    }
    assembly = {
      ...assembly,
      parts: assembly.parts.map((rows, at) => (at === part - 1 ? entries.map(rowOf) : rows)),
      merged: new Set([...assembly.merged, ...merged]),
    };
    if (assembly.parts.reduce((sum, rows) => sum + (rows?.length ?? 0), 0) > MOST_ENTRIES) throw new GateError('LIST_INVALID', `a list has at most ${MOST_ENTRIES} entries`);
    this.#assembly = assembly;
    const missing = missingOf(assembly).length;
    if (missing > 0) return { kind: 'waiting', version, missing };
    this.#assembly = undefined;
    const rows = new Map<string, Row>();
    for (const row of assembly.parts.flatMap((one) => one ?? [])) {
      if (rows.has(row.key)) throw new GateError('LIST_INVALID', `${row.key} is there twice; an entry has a key of its own`);
      rows.set(row.key, row);
    }
    return this.#apply('full', version, digest, rows, [...assembly.merged]);
  }

  #delta({ base, version, digest, put, remove, merged }: Delta): ListOutcome {
    const known = this.#known(version, digest, merged);
    if (known !== undefined) return known;
    if (version <= base) throw new GateError('LIST_INVALID', `version ${version} follows base ${base}; a version grows`);
    if (this.#held?.version !== base) {
      throw new GateError('LIST_BASE_UNKNOWN', `a change from version ${base}, and ${this.#held === undefined ? 'no list is held' : `version ${this.#held.version} is held`}; send the whole list`);
    }
    const stored = this.#files.newest(() => undefined);
    if (stored?.head.version !== base) {
      this.#held = stored?.head;
      throw new GateError('LIST_BASE_UNKNOWN', `version ${base} cannot be read from the disk any more; send the whole list`);
    }
    const rows = new Map(rowsOf(stored.text).map((row) => [row.key, row]));
    for (const key of remove) rows.delete(key);
    for (const entry of put) rows.set(keyOf(entry), rowOf(entry));
    return this.#apply('delta', version, digest, rows, merged);
  }

  /** What there is to say of a version that brings nothing new. */
  #known(version: number, digest: string, merged: readonly string[]): ListOutcome | undefined {
    const held = this.#held;
    if (held === undefined || version > held.version) return undefined;
    if (version === held.version && digest !== held.digest) {
      throw new GateError('LIST_CONFLICT', `version ${version} is held with the digest ${held.digest}; a changed list needs a version above`);
    }
    return { kind: 'repeated', version, merged: version === held.version ? merged : [] };
  }

  #apply(form: 'full' | 'delta', version: number, digest: string, entries: ReadonlyMap<string, Row>, merged: readonly string[]): ListOutcome {
    if (entries.size > MOST_ENTRIES) throw new GateError('LIST_INVALID', `${entries.size} entries; a list has at most ${MOST_ENTRIES}`);
    const rows = [...entries.values()].sort((a, b) => compareKeys(a.key, b.key));
    const found = digestOfLines(rows.map(({ line }) => line));
    if (found !== digest) throw new GateError('LIST_DIGEST_WRONG', `version ${version} has ${rows.length} entries with the digest ${found}, and was announced with ${digest}; send the whole list`);
    const head: FileHead = { version, digest, merged: [...new Set([...(this.#held?.merged ?? []), ...merged])].slice(-MOST_MERGED) };
    const list = loaded(head, rows);
    this.#files.write(head, list.table.text);
    this.#held = head;
    if (this.#assembly !== undefined && this.#assembly.version <= version) this.#assembly = undefined;
    return { kind: 'applied', form, list };
  }
}

function loaded(head: FileHead, rows: readonly Row[]): LoadedList {
  const { table, counts, ignored } = buildTable(rows);
  return { version: head.version, digest: head.digest, merged: head.merged, counts, table, ignored: { count: ignored.length, first: ignored.slice(0, MOST_IGNORED_TOLD) } };
}

function rowOf(entry: ListEntry): Row {
  return { key: keyOf(entry), line: lineOf(entry), entry };
}

function rowsOf(text: Buffer): readonly Row[] {
  const rows: Row[] = [];
  for (const line of text.toString('utf8').split('\n')) {
    if (line === '') continue;
    const entry = listEntrySchema.parse(JSON.parse(line));
    rows.push({ key: keyOf(entry), line, entry });
  }
  return rows;
}

function missingOf({ parts }: Assembly): readonly number[] {
  return parts.flatMap((rows, at) => (rows === undefined ? at + 1 : []));
}

function parseJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch (error) {
    throw new GateError('LIST_INVALID', `no JSON in UTF-8 (${errorText(error)})`);
  }
}

function versionOf(value: unknown): number | null {
  return typeof value === 'object' && value !== null && 'version' in value && typeof value.version === 'number' ? value.version : null;
}

function checked(value: unknown): ListMessage {
  const result = listMessageSchema.safeParse(value);
  if (result.success) return result.data;
  const { issues } = result.error;
  const told = issues.slice(0, MOST_FAULTS).map(({ path, message }) => `${path.join('.') || 'message'}: ${message}`);
  throw new GateError('LIST_INVALID', `${told.join('; ')}${issues.length > MOST_FAULTS ? `; and ${issues.length - MOST_FAULTS} more` : ''}`);
}
