import { z } from 'zod';
import { compileHousehold, compilePass, type BuiltLists, type Household, type Listing } from '../access/index.js';
import { GateError, type LaneId } from '../base/index.js';
import { parsePlate, type PlateText } from '../plate/index.js';
import type { ListEntry } from './messages.js';
import type { ListTable } from './table.js';

/** What of a plate may be changed at the gate: its visitor pass, its block, its household. */
export const editSubjects = ['visitor', 'blocked', 'resident'] as const;
export type EditSubject = (typeof editSubjects)[number];

const isoTime = z.iso.datetime({ offset: true });
const who = {
  id: z.string().min(1).max(64).describe('what a list names in merged'),
  plate: z.string().min(1).describe('in normal form'),
  reason: z.string().min(1).max(200).describe('why; of a block also what the guard is shown'),
  by: z.string().min(1).max(64).describe('the person'),
  issuer: z.string().min(1).max(80).describe('the account or console it came from, e.g. web:guard'),
  atMs: z.number().int().describe('ms since 1970 UTC, as the gate believes'),
};
const add = { ...who, action: z.literal('add') };

/** A change made at the gate: payload of the event `list.edited`, and in `list/report` until a list has taken it in. */
export const localEditSchema = z.discriminatedUnion('action', [
  z.discriminatedUnion('subject', [
    z.object({ ...add, subject: z.literal('visitor'), from: isoTime, until: isoTime, lanes: z.array(z.string()).optional(), note: z.string().max(200).optional() }),
    z.object({ ...add, subject: z.literal('blocked') }),
    z.object({ ...add, subject: z.literal('resident'), household: z.string().describe('id of the household the plate now belongs to') }),
  ]),
  z.object({ ...who, action: z.literal('remove'), subject: z.enum(editSubjects) }),
]);
export type LocalEdit = z.output<typeof localEditSchema>;

/** What a guard asks for; times are ISO 8601 with an offset. */
export interface EditRequest {
  readonly action: 'add' | 'remove';
  readonly subject: EditSubject;
  readonly plate: string;
  readonly reason: string;
  readonly by: string;
  readonly issuer: string;
  /** Visitors: now where omitted. */
  readonly from?: string | undefined;
  readonly until?: string | undefined;
  readonly lanes?: readonly LaneId[] | undefined;
  readonly note?: string | undefined;
  /** Residents: id of the household. */
  readonly household?: string | undefined;
}

/** What stands under the edits: the configuration and the platform's list. */
export interface Sources {
  readonly configured: Pick<BuiltLists, 'listings' | 'households'>;
  readonly table: ListTable;
}

type EditsOfPlate = Partial<Record<EditSubject, LocalEdit>>;

/** Finds a household by its id; one of the platform's list goes before one of the configuration. */
export function householdOf(id: string, { configured, table }: Sources): Household | undefined {
  const entry = table.entry(`household/${id}`);
  return entry?.kind === 'household' ? compileHousehold(entry, Date.parse, entry.id) : configured.households.get(id);
}

/**
 * All that is known of a plate, from three sources:
 * - The configuration is the site's own base: its passes, blocks and emergency vehicles always count. Its household of a
 *   plate counts where the platform's list names none for it.
 * - The platform's list comes on top: its household goes before, its passes are further passes, its blocks further blocks.
 * - An edit made at the gate replaces what the platform's list says of that plate and subject (visitor, blocked,
 *   resident), whatever the list's version, until a list names the edit's id in `merged`; a pass that is added stands
 *   beside the list's. From then on the list alone speaks. The newest edit of a plate and subject counts. No edit takes away what the configuration says.
 * A plate blocked by any of them is blocked.
 * @returns undefined for a plate of which nothing is known
 */
export function mergedListing(plate: PlateText, base: Listing | undefined, edits: EditsOfPlate | undefined, sources: Sources): Listing | undefined {
  const entries = sources.table.entriesOf(plate);
  if (entries.length === 0 && edits === undefined) return base;
  const { visitor, blocked, resident } = edits ?? {};
  const passes = [...(base?.passes ?? [])];
  if (visitor?.action !== 'remove') for (const entry of entries) if (entry.kind === 'visitor') passes.push(compilePass(entry, Date.parse, entry.id));
  if (visitor?.action === 'add' && visitor.subject === 'visitor') passes.push(compilePass(visitor, Date.parse, visitor.id));
  const listing: Listing = {
    plate,
    household: residentOf(entries, resident, sources) ?? base?.household ?? null,
    passes,
    blocked: base?.blocked ?? blockOf(entries, blocked),
    emergency: base?.emergency ?? null,
  };
  return listing.household === null && listing.blocked === null && listing.emergency === null && passes.length === 0 ? undefined : listing;
}

function residentOf(entries: readonly ListEntry[], edit: LocalEdit | undefined, sources: Sources): Household | undefined {
  if (edit?.action === 'add' && edit.subject === 'resident') return householdOf(edit.household, sources);
  if (edit !== undefined) return undefined;
  const entry = entries.find(({ kind }) => kind === 'household');
  return entry?.kind === 'household' ? compileHousehold(entry, Date.parse, entry.id) : undefined;
}

function blockOf(entries: readonly ListEntry[], edit: LocalEdit | undefined): Listing['blocked'] {
  if (edit !== undefined) return edit.action === 'add' ? { reason: edit.reason } : null;
  const entry = entries.find(({ kind }) => kind === 'blocked');
  return entry?.kind === 'blocked' ? { reason: entry.reason } : null;
}

/** Edits that no list has taken in yet; the newest of each plate and subject. */
export class LocalEdits {
  readonly #byPlate = new Map<string, EditsOfPlate>();

  of(plate: PlateText): EditsOfPlate | undefined {
    return this.#byPlate.get(plate);
  }

  /** Oldest first. */
  all(): readonly LocalEdit[] {
    return [...this.#byPlate.values()].flatMap((edits) => Object.values(edits)).sort((a, b) => a.atMs - b.atMs);
  }

  put(edit: LocalEdit): void {
    this.#byPlate.set(edit.plate, { ...this.#byPlate.get(edit.plate), [edit.subject]: edit });
  }

  remove({ plate, subject }: LocalEdit): void {
    const { [subject]: _gone, ...rest } = this.#byPlate.get(plate) ?? {};
    if (Object.keys(rest).length === 0) this.#byPlate.delete(plate);
    else this.#byPlate.set(plate, rest);
  }
}

export interface EditMoment {
  readonly id: string;
  readonly wallMs: number;
  readonly clockTrusted: boolean;
  readonly lanes: readonly LaneId[];
}

/**
 * Makes an edit of a request.
 * @throws GateError PLATE_INVALID; LIST_EDIT_REFUSED saying what is wrong and what to do
 */
export function checkedEdit(request: EditRequest, moment: EditMoment, edits: LocalEdits, sources: Sources): LocalEdit {
  const { text: plate } = parsePlate(request.plate);
  const { subject, reason, by, issuer } = request;
  const common = { id: moment.id, plate, reason, by, issuer, atMs: Math.round(moment.wallMs) };
  if (request.action === 'remove') {
    removable(plate, subject, edits, sources);
    return { ...common, action: 'remove', subject };
  }
  switch (subject) {
    case 'visitor':
      return { ...common, action: 'add', subject, ...passOf(request, moment) };
    case 'blocked':
      return { ...common, action: 'add', subject };
    case 'resident': {
      const { household } = request;
      if (household === undefined) throw refused('a resident needs a household; name it by its id, e.g. b3-1201');
      if (householdOf(household, sources) === undefined) throw refused(`there is no household ${household}; an id of a household on a list is needed, as gatectl list show PLATE prints it for a neighbour's car`);
      return { ...common, action: 'add', subject, household };
    }
  }
}

function passOf({ from, until, lanes, note }: EditRequest, moment: EditMoment): { readonly from: string; readonly until: string; readonly lanes?: string[]; readonly note?: string } {
  if (until === undefined) throw refused('a visitor pass needs its end, e.g. until 2026-05-01T18:00:00+08:00');
  for (const time of [from, until]) {
    if (time !== undefined && !isoTime.safeParse(time).success) throw refused(`${JSON.stringify(time)} is no time; write it with its offset, e.g. 2026-05-01T18:00:00+08:00`);
  }
  const start = from ?? new Date(moment.wallMs).toISOString();
  if (Date.parse(start) >= Date.parse(until)) throw refused(`the pass would end (${until}) before it begins (${start})`);
  if (moment.clockTrusted && Date.parse(until) <= moment.wallMs) throw refused(`the pass would have ended already (${until})`);
  const stranger = lanes?.find((lane) => !moment.lanes.includes(lane));
  if (stranger !== undefined) throw refused(`there is no lane ${stranger}; this gate has ${moment.lanes.join(', ')}`);
  return { from: start, until, ...(lanes === undefined ? {} : { lanes: [...lanes] }), ...(note === undefined ? {} : { note }) };
}

function removable(plate: PlateText, subject: EditSubject, edits: LocalEdits, sources: Sources): void {
  const base = sources.configured.listings.get(plate);
  const now = mergedListing(plate, base, edits.of(plate), sources);
  const has = (listing: Listing | undefined): number => {
    switch (subject) {
      case 'visitor':
        return listing?.passes.length ?? 0;
      case 'blocked':
        return (listing?.blocked ?? null) === null ? 0 : 1;
      case 'resident':
        return (listing?.household ?? null) === null ? 0 : 1;
    }
  };
  const words = { visitor: 'no visitor pass', blocked: 'not blocked', resident: 'of no household' };
  if (has(now) === 0) throw refused(`${plate} is on no list there: ${words[subject]}`);
  const without = mergedListing(plate, base, { ...edits.of(plate), [subject]: { id: '-', plate, reason: '-', by: '-', issuer: '-', atMs: 0, action: 'remove', subject } }, sources);
  if (has(without) >= has(now)) {
    throw refused(`${plate} stands in the configuration of this gate, which is not changed from here; change access.${{ visitor: 'visitors', blocked: 'blocked', resident: 'households' }[subject]} there`);
  }
}

function refused(why: string): GateError {
  return new GateError('LIST_EDIT_REFUSED', `${why}.`);
}
