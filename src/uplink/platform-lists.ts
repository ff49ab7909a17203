import { GateError } from '../base/index.js';
import { digestOfLines, keyOf, lineOf, localEditSchema, withEdit, type ListEntry, type LocalEdit } from '../lists/index.js';
import { eventMessageSchema, type EventMessage } from './messages.js';
import { listReportSchema, type FullListPart, type ListDelta, type ListReport } from './list-messages.js';
import { PlatformEdits, type TakenEdit } from './platform-edits.js';
import type { GateName, ReferencePlatform } from './reference-platform.js';

export interface PlatformListsOptions {
  /** Most bytes of the entries of one message. */
  readonly partBytes?: number;
  /** False: edits made at gates are only heard; `merge` takes them in. */
  readonly mergeEdits?: boolean;
  /** Where lists and the edits they have taken in are kept; in memory and for this run alone where omitted. */
  readonly books?: ListBooks;
}

export interface KeptList {
  readonly version: number;
  readonly digest: string;
  readonly entries: readonly ListEntry[];
}

/** Keeps lists for a platform that is to go on where it was. */
export interface ListBooks {
  /** A gate's newest list, and the newest edits that were taken in, as they were left. */
  open(gate: GateName): { readonly list: KeptList | undefined; readonly edits: readonly TakenEdit[] };
  /**
   * Durable when it returns, all of it or nothing: only then is the list sent, and the gate lets go of its edits. Of a plate
   * and subject an edit replaces the one before.
   */
  keep(gate: GateName, change: { readonly list?: KeptList; readonly edits: readonly TakenEdit[] }): void;
}

/** Versions whose entries are remembered, for changes from them. */
const MOST_VERSIONS = 8;
const PART_BYTES = 96 * 1024;
const MOST_PART_ENTRIES = 2_000;
const MOST_MERGED = 500;

interface Version {
  readonly version: number;
  readonly digest: string;
  readonly lines: ReadonlyMap<string, string>;
  readonly entries: ReadonlyMap<string, ListEntry>;
}

interface GateLists {
  readonly name: GateName;
  readonly versions: Version[];
  readonly edits: PlatformEdits;
  /** Version that the gate holds once it has what was sent. */
  sent: number | undefined;
  report: ListReport | undefined;
}

/**
 * The lists of a small platform: holds one for each gate, sends it whole or as a change from what the gate holds, answers
 * every request, and takes in what guards have changed. An example to integrators.
 */
export class PlatformLists {
  readonly #platform: Pick<ReferencePlatform, 'hear' | 'post'>;
  readonly #options: PlatformListsOptions;
  readonly #gates = new Map<string, GateLists>();
  readonly #unhear: (() => void)[] = [];

  constructor(platform: Pick<ReferencePlatform, 'hear' | 'post'>, options: PlatformListsOptions = {}) {
    this.#platform = platform;
    this.#options = options;
  }

  /** Begins to hear reports and edits; the platform has to be connected. */
  start(): void {
    this.#unhear.push(
      this.#platform.hear('list/report', (from, message) => this.#reported(from, listReportSchema.parse(message))),
      this.#platform.hear('event', (from, message) => {
        this.#happened(from, eventMessageSchema.parse(message));
      }),
    );
  }

  stop(): void {
    for (const unhear of this.#unhear.splice(0)) unhear();
  }

  /**
   * Sends a gate its list: the changes where it holds a version known here, else (or with `form`) the whole.
   * @param list.version above every one before; the next where omitted
   * @returns version and digest that the gate will report
   * @throws GateError LIST_INVALID for a key that is there twice, or a version that does not grow
   */
  sendList(site: string, gate: string, list: { readonly entries: readonly ListEntry[]; readonly version?: number; readonly form?: 'full' }): { readonly version: number; readonly digest: string } {
    const of = this.#of({ site, gate });
    const made = this.#put(of, list.entries, list.version);
    this.#sync(of, list.form === 'full' ? undefined : of.sent);
    return { version: made.version, digest: made.digest };
  }

  /** A list that the gate holds, from an earlier run, where no books are kept: the next one goes as a change from it. */
  know(site: string, gate: string, { version, entries }: { readonly version: number; readonly entries: readonly ListEntry[] }): void {
    const of = this.#of({ site, gate });
    this.#put(of, entries, version);
    of.sent = version;
  }

  /** What the gate said last. */
  report(site: string, gate: string): ListReport | undefined {
    return this.#gates.get(`${site}/${gate}`)?.report;
  }

  /** The entries of the newest version. */
  entries(site: string, gate: string): readonly ListEntry[] {
    return entriesOf(this.#of({ site, gate }));
  }

  /** Edits heard of that are not taken in yet. */
  waitingEdits(site: string, gate: string): readonly LocalEdit[] {
    return this.#of({ site, gate }).edits.waiting();
  }

  /**
   * Takes edits in, or overrules them: the list alone speaks afterwards. What the list cannot say, e.g. of a household that
   * it does not have, goes on waiting, here and at the gate.
   * @returns version and digest that the gate will report; undefined where there was nothing to take in
   */
  merge(site: string, gate: string, { overrule }: { readonly overrule: boolean }): { readonly version: number; readonly digest: string } | undefined {
    const of = this.#of({ site, gate });
    if (!this.#merge(of, overrule)) return undefined;
    const newest = of.versions.at(-1);
    return newest === undefined ? undefined : { version: newest.version, digest: newest.digest };
  }

  /** @returns whether there was anything to take in */
  #merge(of: GateLists, overrule: boolean): boolean {
    // A list that is not known here cannot be changed here: the gate may hold one.
    if (of.versions.length === 0) return false;
    let entries = entriesOf(of);
    const taken: LocalEdit[] = [];
    for (const edit of of.edits.waiting()) {
      const after = overrule ? entries : withEdit(entries, edit);
      if (after === undefined) continue;
      entries = after;
      taken.push(edit);
    }
    if (taken.length === 0) return false;
    this.#put(of, entries, undefined, taken);
    this.#sync(of, of.sent);
    return true;
  }

  #of(name: GateName): GateLists {
    const key = `${name.site}/${name.gate}`;
    const known = this.#gates.get(key);
    if (known !== undefined) return known;
    const kept = this.#options.books?.open(name);
    const list = kept?.list;
    const versions = list === undefined ? [] : [versionOf(list.version, list.entries)];
    const made: GateLists = { name, versions, edits: new PlatformEdits(kept?.edits), sent: list?.version, report: undefined };
    this.#gates.set(key, made);
    return made;
  }

  /** Makes the next version, and keeps it with what it has taken in. */
  #put(of: GateLists, given: readonly ListEntry[], version?: number, edits: readonly LocalEdit[] = []): Version {
    const before = Math.max(of.versions.at(-1)?.version ?? 0, version === undefined ? (of.report?.held?.version ?? 0) : 0);
    const next = version ?? before + 1;
    if (next <= before) throw new GateError('LIST_INVALID', `version ${next} after ${before}; a version grows`);
    const made = versionOf(next, given);
    const taken = edits.map((edit) => of.edits.asTaken(edit, next));
    this.#options.books?.keep(of.name, { list: { version: next, digest: made.digest, entries: [...made.entries.values()] }, edits: taken });
    of.edits.take(taken);
    of.versions.push(made);
    if (of.versions.length > MOST_VERSIONS) of.versions.shift();
    return made;
  }

  /** Brings a gate to the newest version, from the one it holds where that is known here. */
  #sync(of: GateLists, from: number | undefined): void {
    const newest = of.versions.at(-1);
    if (newest === undefined) return;
    of.sent = newest.version;
    const base = of.versions.find(({ version }) => version === from);
    const waiting = new Set(of.report?.edits.first.map(({ id }) => id));
    const merged = of.edits
      .taken()
      .filter(({ id, version }) => waiting.has(id) || version > (of.report?.held?.version ?? 0))
      .map(({ id }) => id)
      .slice(0, MOST_MERGED);
    const delta = base === undefined ? undefined : deltaOf(base, newest, merged);
    if (delta !== undefined && delta.put.length + delta.remove.length <= MOST_PART_ENTRIES && entryBytes(delta, newest) <= (this.#options.partBytes ?? PART_BYTES)) {
      this.#platform.post(of.name, 'list', delta);
      return;
    }
    for (const part of this.#partsOf(newest, merged)) this.#platform.post(of.name, 'list', part);
  }

  #partsOf({ version, digest, lines, entries }: Version, merged: string[]): readonly FullListPart[] {
    const parts: ListEntry[][] = [[]];
    let bytes = 0;
    for (const [key, entry] of entries) {
      const size = Buffer.byteLength(lines.get(key) ?? '');
      const last = parts.at(-1);
      if (last === undefined || last.length >= MOST_PART_ENTRIES || (last.length > 0 && bytes + size > (this.#options.partBytes ?? PART_BYTES))) {
        parts.push([entry]);
        bytes = size;
      } else {
        last.push(entry);
        bytes += size;
      }
    }
    return parts.map((some, at) => ({ kind: 'full', version, digest, part: at + 1, parts: parts.length, entries: some, ...(at === 0 ? { merged } : {}) }));
  }

  #reported(from: GateName, report: ListReport): void {
    const of = this.#of(from);
    const { held, edits } = report;
    of.report = report;
    const newest = of.versions.at(-1);
    const ahead = newest !== undefined && held !== null && (held.version > newest.version || (held.version === newest.version && held.digest !== newest.digest));
    // Only the whole reaches it then.
    if (ahead || report.wants === 'full') of.sent = undefined;
    for (const edit of edits.first) of.edits.reported(edit, held?.version);
    if (this.#mayMerge && this.#merge(of, false)) return;
    if (newest === undefined) return;
    if (ahead) {
      // This platform was set back, e.g. to a backup: the gate keeps its list until one of a version above comes.
      this.#put(of, [...newest.entries.values()]);
      this.#sync(of, undefined);
    } else if (report.wants === 'full') this.#sync(of, undefined);
    else if (report.refused !== undefined) return;
    // What is on its way already comes twice then, which is no fault.
    else if (held?.version !== newest.version) this.#sync(of, held?.version);
    else if (edits.first.some((edit) => of.edits.hasTaken(edit))) {
      // It holds the list and has not heard of these: told in a version that changes nothing else.
      this.#put(of, [...newest.entries.values()]);
      this.#sync(of, newest.version);
    }
  }

  #happened(from: GateName, { events }: EventMessage): void {
    const of = this.#of(from);
    // An edit of a form that a newer gate may know is an event like any other, and stays with the gate.
    const edits = events.flatMap(({ type, epoch, seq, payload }) => {
      const edit = type === 'list.edited' ? localEditSchema.safeParse(payload) : undefined;
      return edit?.success === true ? [{ edit: edit.data, event: { epoch, seq } }] : [];
    });
    if (edits.length === 0) return;
    const placed = edits.flatMap(({ edit, event }) => of.edits.happened(edit, event) ?? []);
    if (placed.length > 0) this.#options.books?.keep(from, { edits: placed });
    if (this.#mayMerge) this.#merge(of, false);
  }

  get #mayMerge(): boolean {
    return this.#options.mergeEdits !== false;
  }
}

function entriesOf({ versions }: GateLists): readonly ListEntry[] {
  return [...(versions.at(-1)?.entries.values() ?? [])];
}

function versionOf(version: number, given: readonly ListEntry[]): Version {
  const sorted = given.map((entry) => ({ key: keyOf(entry), entry, line: lineOf(entry) })).sort((a, b) => (a.key < b.key ? -1 : 1));
  const entries = new Map(sorted.map(({ key, entry }) => [key, entry]));
  if (entries.size !== given.length) throw new GateError('LIST_INVALID', 'two entries have one key; give every household and pass an id of its own');
  const lines = new Map(sorted.map(({ key, line }) => [key, line]));
  return { version, digest: digestOfLines(lines.values()), lines, entries };
}

function deltaOf(base: Version, newest: Version, merged: string[]): ListDelta {
  const put = [...newest.entries].filter(([key]) => base.lines.get(key) !== newest.lines.get(key)).map(([, entry]) => entry);
  const remove = [...base.entries.keys()].filter((key) => !newest.entries.has(key));
  return { kind: 'delta', base: base.version, version: newest.version, digest: newest.digest, put, remove, merged };
}

function entryBytes({ put, remove }: ListDelta, { lines }: Version): number {
  return [...put.map((entry) => lines.get(keyOf(entry)) ?? ''), ...remove].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}
