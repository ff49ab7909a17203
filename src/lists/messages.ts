import { z } from 'zod';

/**
 * What the platform sends on `list`, and how its digest is made. A list is a set of entries, each with a key:
 *
 * | entry | key |
 * |---|---|
 * | household | `household/{id}` |
 * | visitor pass | `visitor/{id}` |
 * | blocked plate | `blocked/{plate}`, the plate as it is written in the entry |
 *
 * The digest of a list: write each entry as the platform sends it, all its properties included, in the form of RFC 8785
 * (JSON Canonicalization Scheme), one a line, each line ended by a line feed (U+000A); sort the lines by their entries'
 * keys, in the order in which RFC 8785 sorts property names (UTF-16 code units); SHA-256 of that text in UTF-8, as 64
 * lower-case hexadecimal digits. The digest of a list without entries is that of the empty text.
 */

/** Most entries of one list. */
export const MOST_ENTRIES = 300_000;

const listId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/u, 'letters, digits, dot, hyphen and underscore, at most 64');
const plate = z.string().min(1).max(20).describe('as on the car; in any usual way of writing, e.g. 京A12345 or 京A·12345');
const lanes = z.array(z.string().min(1).max(32)).describe('only through these lanes; all where omitted');
const isoTime = z.iso.datetime({ offset: true, error: 'a time with its offset, e.g. 2026-05-01T08:00:00+08:00' });
const timeOfDay = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$/u, 'HH:MM, e.g. 07:30');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/u, '64 lower-case hexadecimal digits');

// Loose: what a newer platform adds to an entry is part of the digest, and is kept.
export const householdEntrySchema = z.looseObject({
  kind: z.literal('household'),
  id: listId,
  name: z.string().max(80).optional().describe('shown to the guard'),
  spaces: z.number().int().min(0).max(1_000).describe('cars of this household that may be inside as residents at one time'),
  plates: z.array(plate).max(100).describe("the household's cars; may be empty"),
  lanes: lanes.optional(),
  hours: z.looseObject({ from: timeOfDay, to: timeOfDay }).optional().describe('only at these hours of the local day; over midnight where to is before from'),
  validFrom: isoTime.optional(),
  validUntil: isoTime.optional().describe('not from this on'),
});

export const visitorEntrySchema = z.looseObject({
  kind: z.literal('visitor'),
  id: listId.describe('of the pass; a plate may have several'),
  plate,
  from: isoTime,
  until: isoTime.describe('not from this on'),
  lanes: lanes.optional(),
  note: z.string().max(200).optional().describe('shown to the guard'),
});

export const blockedEntrySchema = z.looseObject({
  kind: z.literal('blocked'),
  plate,
  reason: z.string().min(1).max(200).describe('shown to the guard'),
});

export const listEntrySchema = z.discriminatedUnion('kind', [householdEntrySchema, visitorEntrySchema, blockedEntrySchema]);

const version = z.number().int().min(1).describe('grows with every change of the list; a version names one content, for ever');
const digest = sha256.describe('of the whole list once this version is in force; how it is made is told at the top of the contract for lists');
const merged = z
  .array(z.string().min(1).max(64))
  .max(1_000)
  .default([])
  .describe('ids of edits made at the gate (event list.edited) that this version has taken in or overruled: from now on the list alone speaks for their plates');

/** `list`, down, QoS 1, not retained: one part of a full list. Parts may come in any order, and more than once. */
export const fullListPartSchema = z.object({
  kind: z.literal('full'),
  version,
  digest,
  part: z.number().int().min(1).describe('1 to parts'),
  parts: z.number().int().min(1).max(10_000),
  entries: z.array(listEntrySchema).max(5_000).describe('no key twice in all parts; a part is best kept below 128 KiB'),
  merged,
});

/** `list`, down, QoS 1, not retained: the change from one version to another. */
export const listDeltaSchema = z.object({
  kind: z.literal('delta'),
  base: version.describe('the version this change starts from; a gate that holds another asks for a full list'),
  version,
  digest,
  put: z.array(listEntrySchema).max(5_000).describe('entries that are new, or replace the one with the same key'),
  remove: z.array(z.string().min(1).max(128)).max(5_000).describe('keys of entries that go; one that is not there is no fault'),
  merged,
});

export const listMessageSchema = z.discriminatedUnion('kind', [fullListPartSchema, listDeltaSchema]);

export type ListEntry = z.output<typeof listEntrySchema>;
export type HouseholdEntry = z.output<typeof householdEntrySchema>;
export type VisitorEntry = z.output<typeof visitorEntrySchema>;
export type FullListPart = z.input<typeof fullListPartSchema>;
export type ListDelta = z.input<typeof listDeltaSchema>;
export type ListMessage = z.output<typeof listMessageSchema>;
