import { GateError } from '../base/index.js';
import { digestOfLines, keyOf, lineOf, localEditSchema, type ListEntry, type LocalEdit } from '../lists/index.js';
import { eventMessageSchema } from './messages.js';
import { listReportSchema, type FullListPart, type ListDelta, type ListReport } from './list-messages.js';
import type { GateName, ReferencePlatform } from './reference-platform.js';

export interface PlatformListsOptions {
  /** Most bytes of the entries of one message. */
  readonly partBytes?: number;
  /** False: edits made at gates are only heard; `merge` takes them in. */
  readonly mergeEdits?: boolean;
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
  /** Edits this platform has taken in or overruled, with the first version that says so. */
  readonly merged: Map<string, number>;
  readonly edits: Map<string, LocalEdit>;
  /** Version that the gate holds once it has what was sent. */
  sent: number | undefined;
  report: ListReport | undefined;
}

/**
 * The lists of a small platform: holds one for each gate, sends it whole or as a change from what the gate holds, answers
 * every request, and takes in what guards have changed. An example to integrators.
 */
export class PlatformLists {
  readonly #platform: ReferencePlatform;
  readonly #options: PlatformListsOptions;
  readonly #gates = new Map<string, GateLists>();
  readonly #unhear: (() => void)[] = [];

  constructor(platform: ReferencePlatform, options: PlatformListsOptions = {}) {
    this.#platform = platform;
    this.#options = options;
  }

  /** Begins to hear reports and edits; the platform has to be connected. */
  start(): void {
    this.#unhear.push(
      this.#platform.hear('list/report', (from, message) => this.#reported(from, listReportSchema.parse(message))),
      this.#platform.hear('event', (from, message) => {
        const { events } = eventMessageSchema.parse(message);
        this.#edited(from, events.filter(({ type }) => type === 'list.edited').map(({ payload }) => localEditSchema.parse(payload)));
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
    const made = this.#next(of, list.entries, list.version);
    this.#sync(of, list.form === 'full' ? undefined : of.sent);
    return { version: made.version, digest: made.digest };
  }

  /** A list that the gate holds, from an earlier run: the next one goes as a change from it. */
  know(site: string, gate: string, { version, entries }: { readonly version: number; readonly entries: readonly ListEntry[] }): void {
    const of = this.#of({ site, gate });
    this.#next(of, entries, version);
    of.sent = version;
  }

  /** What the gate said last. */
  report(site: string, gate: string): ListReport | undefined {
    return this.#gates.get(`${site}/${gate}`)?.report;
  }

  /** The entries of the newest version. */
  entries(site: string, gate: string): readonly ListEntry[] {
    return [...(this.#gates.get(`${site}/${gate}`)?.versions.at(-1)?.entries.values() ?? [])];
  }

  /** Edits heard of that are not taken in yet. */
  waitingEdits(site: string, gate: string): readonly LocalEdit[] {
    return [...this.#of({ site, gate }).edits.values()];
  }

  /** Takes edits in, or overrules them: the list alone speaks afterwards. */
  merge(site: string, gate: string, { overrule }: { readonly overrule: boolean }): void {
    const of = this.#of({ site, gate });
    const edits = [...of.edits.values()];
    const entries = overrule ? this.entries(site, gate) : edits.reduce(withEdit, this.entries(site, gate));
    of.edits.clear();
    const { version } = this.#next(of, entries, undefined);
    for (const { id } of edits) of.merged.set(id, version);
    this.#sync(of, of.sent);
  }

  #of(name: GateName): GateLists {
    const key = `${name.site}/${name.gate}`;
    const known = this.#gates.get(key);
    if (known !== undefined) return known;
    const made: GateLists = { name, versions: [], merged: new Map(), edits: new Map(), sent: undefined, report: undefined };
    this.#gates.set(key, made);
    return made;
  }

  #next(of: GateLists, given: readonly ListEntry[], version: number | undefined): Version {
    const before = Math.max(of.versions.at(-1)?.version ?? 0, version === undefined ? (of.report?.held?.version ?? 0) : 0);
    const next = version ?? before + 1;
    if (next <= before) throw new GateError('LIST_INVALID', `version ${next} after ${before}; a version grows`);
    const sorted = given.map((entry) => ({ key: keyOf(entry), entry, line: lineOf(entry) })).sort((a, b) => (a.key < b.key ? -1 : 1));
    const entries = new Map(sorted.map(({ key, entry }) => [key, entry]));
    if (entries.size !== given.length) throw new GateError('LIST_INVALID', 'two entries have one key; give every household and pass an id of its own');
    const lines = new Map(sorted.map(({ key, line }) => [key, line]));
    const made: Version = { version: next, digest: digestOfLines(lines.values()), lines, entries };
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
    const merged = [...of.merged].filter(([id, version]) => waiting.has(id) || version > (of.report?.held?.version ?? 0)).map(([id]) => id).slice(0, MOST_MERGED);
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
    of.report = report;
    this.#edited(from, report.edits.first);
    const newest = of.versions.at(-1);
    if (newest === undefined) return;
    if (report.wants === 'full') this.#sync(of, undefined);
    else if (report.refused !== undefined) return;
    // What is on its way already comes twice then, which is no fault.
    else if (report.held?.digest !== newest.digest || report.held.version !== newest.version) this.#sync(of, report.held?.version);
    else if (report.edits.first.some(({ id }) => of.merged.has(id))) {
      // It holds the list and has not heard of these: told in a version that changes nothing else.
      this.#next(of, [...newest.entries.values()], undefined);
      this.#sync(of, newest.version);
    }
  }

  #edited(from: GateName, edits: readonly LocalEdit[]): void {
    const of = this.#of(from);
    const fresh = edits.filter(({ id }) => !of.merged.has(id) && !of.edits.has(id));
    for (const edit of fresh) of.edits.set(edit.id, edit);
    if (fresh.length > 0 && this.#options.mergeEdits !== false) this.merge(from.site, from.gate, { overrule: false });
  }
}

function deltaOf(base: Version, newest: Version, merged: string[]): ListDelta {
  const put = [...newest.entries].filter(([key]) => base.lines.get(key) !== newest.lines.get(key)).map(([, entry]) => entry);
  const remove = [...base.entries.keys()].filter((key) => !newest.entries.has(key));
  return { kind: 'delta', base: base.version, version: newest.version, digest: newest.digest, put, remove, merged };
}

function entryBytes({ put, remove }: ListDelta, { lines }: Version): number {
  return [...put.map((entry) => lines.get(keyOf(entry)) ?? ''), ...remove].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

/** The list after an edit, as a platform would make it. */
function withEdit(entries: readonly ListEntry[], edit: LocalEdit): readonly ListEntry[] {
  const { plate } = edit;
  const without = (): readonly ListEntry[] =>
    entries.flatMap((entry): readonly ListEntry[] => {
      if (entry.kind === 'household') return [edit.subject === 'resident' ? { ...entry, plates: entry.plates.filter((one) => one !== plate) } : entry];
      return entry.kind === edit.subject && entry.plate === plate ? [] : [entry];
    });
  if (edit.action === 'remove') return without();
  switch (edit.subject) {
    case 'visitor': {
      const { id, from, until, lanes, note } = edit;
      return [...entries, { kind: 'visitor', id, plate, from, until, ...(lanes === undefined ? {} : { lanes }), ...(note === undefined ? {} : { note }) }];
    }
    case 'blocked':
      return [...without(), { kind: 'blocked', plate, reason: edit.reason }];
    case 'resident':
      return without().map((entry) => (entry.kind === 'household' && entry.id === edit.household ? { ...entry, plates: [...entry.plates, plate] } : entry));
  }
}
