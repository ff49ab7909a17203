import * as z from 'zod/mini';
import type { ControlClient } from './control-client.js';
import { localTime, print, table } from './output.js';

const editSchema = z.object({ id: z.string(), action: z.enum(['add', 'remove']), subject: z.string(), plate: z.string(), reason: z.string(), by: z.string(), atMs: z.number() });
const summarySchema = z.object({
  platform: z.nullable(z.object({ version: z.number(), digest: z.string(), counts: z.record(z.string(), z.number()), ignored: z.object({ count: z.number(), first: z.array(z.object({ key: z.string(), why: z.string() })) }) })),
  waiting: z.number(),
  edits: z.array(editSchema),
});
const listingSchema = z.object({
  household: z.nullable(z.object({ id: z.string(), name: z.string(), spaces: z.number() })),
  passes: z.array(z.object({ from: z.optional(z.string()), until: z.optional(z.string()), note: z.nullable(z.string()) })),
  blocked: z.nullable(z.object({ reason: z.string() })),
  emergency: z.nullable(z.object({ note: z.nullable(z.string()) })),
});
const plateSchema = z.object({ plate: z.string(), inForce: z.nullable(listingSchema), edits: z.array(editSchema) });

export interface ListChange {
  readonly action: 'add' | 'remove';
  readonly subject: 'visitor' | 'blocked' | 'resident';
  readonly plate: string;
  readonly reason: string;
  readonly by?: string | undefined;
  readonly from?: string | undefined;
  readonly until?: string | undefined;
  readonly lanes?: readonly string[] | undefined;
  readonly note?: string | undefined;
  readonly household?: string | undefined;
}

function editRow({ atMs, action, subject, plate, by, reason }: z.output<typeof editSchema>): readonly string[] {
  return [localTime(atMs), action, subject, plate, by, reason];
}

function timeOf(iso: string | undefined): string {
  return iso === undefined ? 'ever' : localTime(Date.parse(iso));
}

/** `gatectl list add` and `remove`. */
export async function changeList(client: ControlClient, change: ListChange, json: boolean): Promise<void> {
  const edit = await client.post(z.looseObject(editSchema.shape), '/api/lists/edits', change);
  print(json ? JSON.stringify(edit) : `${edit.plate}: ${edit.action === 'add' ? 'added as' : 'no longer'} ${edit.subject}, in force now (on record: ${edit.by}, ${edit.reason}).`);
}

/** `gatectl list show`: the list in force, or all that is known of a plate. */
export async function showLists(client: ControlClient, plate: string | undefined, json: boolean): Promise<void> {
  if (plate !== undefined) {
    const found = await client.get(z.looseObject(plateSchema.shape), `/api/lists/plates/${encodeURIComponent(plate)}`);
    print(json ? JSON.stringify(found) : plateLines(found).join('\n'));
    return;
  }
  const summary = await client.get(summarySchema, '/api/lists');
  print(json ? JSON.stringify(summary) : summaryLines(summary).join('\n'));
}

function plateLines({ plate, inForce, edits }: z.output<typeof plateSchema>): readonly string[] {
  if (inForce === null) return [`${plate} is on no list.`, ...edits.map((edit) => editRow(edit).join('  '))];
  const { household, passes, blocked, emergency } = inForce;
  return [
    plate,
    ...(emergency === null ? [] : [`  emergency vehicle${emergency.note === null ? '' : `: ${emergency.note}`}`]),
    ...(blocked === null ? [] : [`  blocked: ${blocked.reason}`]),
    ...(household === null ? [] : [`  resident of ${household.name} (${household.id}), ${household.spaces} at one time`]),
    ...passes.map(({ from, until, note }) => `  visitor from ${timeOf(from)} until ${timeOf(until)}${note === null ? '' : `: ${note}`}`),
    ...edits.map((edit) => `  changed at the gate: ${editRow(edit).join('  ')}`),
  ];
}

function summaryLines({ platform, waiting, edits }: z.output<typeof summarySchema>): readonly string[] {
  const held =
    platform === null
      ? ['No list from the platform yet; the lists of the configuration count.']
      : [
          `List of the platform: version ${platform.version}, ${Object.entries(platform.counts).map(([name, count]) => `${count} ${name}`).join(', ')}.`,
          ...(platform.ignored.count === 0 ? [] : [`${platform.ignored.count} entries cannot be used:`, ...platform.ignored.first.map(({ key, why }) => `  ${key}: ${why}`)]),
        ];
  return waiting === 0 ? held : [...held, `${waiting} changes made here that no list has taken in yet:`, table(edits.map((edit) => ['', ...editRow(edit)]))];
}
