import { z } from 'zod';
import { localEditSchema } from '../lists/index.js';

/**
 * `list` (down) and `list/report` (up). What a list is, and how its digest is made, is told in `../lists/messages.ts`.
 *
 * The platform sends a full list in parts, or a change (delta) from the version it knows the gate to hold. The gate puts a
 * version in force as a whole, once its digest is proved and it is on disk; until then, and whatever is wrong, the one
 * before stays, for ever if need be. A version below the one in force changes nothing and is answered with what is held: the
 * platform goes on above that. Edits made at the gate stay in force over every list until one names them in `merged`.
 */
export { fullListPartSchema, listDeltaSchema, listEntrySchema, listMessageSchema, type FullListPart, type ListDelta, type ListEntry } from '../lists/index.js';

const count = z.number().int().min(0);

/** `list/report`, up, QoS 1, retained: on connecting, whenever a list has been put in force or refused, and when one below the version in force came. */
export const listReportSchema = z.object({
  epoch: z.number().int().min(1),
  atMs: z.number().int().describe('ms since 1970 UTC, as the gate believes'),
  held: z
    .object({
      version: z.number().int().min(1),
      digest: z.string(),
      counts: z.object({ entries: count, households: count, plates: count, visitors: count, blocked: count }),
      ignored: z
        .object({ count, first: z.array(z.object({ key: z.string(), why: z.string() })) })
        .describe('entries that are kept and cannot be used, e.g. of a plate that no car can carry; the first of them by key'),
    })
    .nullable()
    .describe('the list in force; null: none has come yet, the lists of the configuration count alone. A platform that knows only lower versions, e.g. restored from a backup, goes on with one above this'),
  wants: z.literal('full').nullable().describe('full: send the whole list in parts'),
  refused: z
    .object({ version: z.number().nullable(), code: z.string(), reason: z.string() })
    .optional()
    .describe('why the last message was not taken: LIST_BASE_UNKNOWN, LIST_DIGEST_WRONG, LIST_INCOMPLETE, LIST_INVALID, LIST_CONFLICT, LIST_WRITE_FAILED, LIST_UNAVAILABLE'),
  edits: z.object({ count, first: z.array(localEditSchema) }).describe('edits made at the gate that no list has named in merged yet, oldest first; the first hundred of them'),
});
export type ListReport = z.output<typeof listReportSchema>;
