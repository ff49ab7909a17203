import { tryParsePlate } from '../plate/index.js';
import { keyOf } from './digest.js';
import type { LocalEdit } from './edits.js';
import { listEntrySchema, type ListEntry } from './messages.js';

/** Entries never change, and most of them go from version to version: their plates are read once. */
const textsByEntry = new WeakMap<ListEntry, readonly string[]>();

/**
 * The list after an edit, as a platform makes it: it then says of that plate what the gate says with the edit over its list.
 * A list may write a plate in any usual way, so plates are compared in normal form.
 * @returns undefined where the list cannot say it, e.g. of a household that it does not have; the edit has to stay with the gate then
 */
export function withEdit(entries: readonly ListEntry[], edit: LocalEdit): readonly ListEntry[] | undefined {
  const text = textOf(edit.plate);
  const names = (entry: ListEntry): boolean => textsOf(entry).includes(text);
  switch (edit.subject) {
    case 'visitor': {
      if (edit.action === 'remove') return entries.filter((entry) => entry.kind !== 'visitor' || !names(entry));
      const { id, plate, from, until, lanes, note } = edit;
      return replaced(entries, { kind: 'visitor', id, plate, from, until, ...(lanes === undefined ? {} : { lanes }), ...(note === undefined ? {} : { note }) });
    }
    case 'blocked': {
      const others = entries.filter((entry) => entry.kind !== 'blocked' || !names(entry));
      return edit.action === 'remove' ? others : replaced(others, { kind: 'blocked', plate: edit.plate, reason: edit.reason });
    }
    case 'resident': {
      const without = entries.map((entry) => (entry.kind === 'household' && names(entry) ? { ...entry, plates: entry.plates.filter((plate) => textOf(plate) !== text) } : entry));
      if (edit.action === 'remove') return without;
      const home = without.find((entry) => entry.kind === 'household' && entry.id === edit.household);
      return home?.kind === 'household' ? replaced(without, { ...home, plates: [...home.plates, edit.plate] }) : undefined;
    }
  }
}

/** With this entry in place of the one that has its key. */
function replaced(entries: readonly ListEntry[], entry: ListEntry): readonly ListEntry[] | undefined {
  // What the contract does not allow, e.g. a household's 101st plate, would have the whole list refused.
  if (!listEntrySchema.safeParse(entry).success) return undefined;
  const key = keyOf(entry);
  return [...entries.filter((other) => keyOf(other) !== key), entry];
}

function textsOf(entry: ListEntry): readonly string[] {
  const known = textsByEntry.get(entry);
  if (known !== undefined) return known;
  const texts = (entry.kind === 'household' ? entry.plates : [entry.plate]).map(textOf);
  textsByEntry.set(entry, texts);
  return texts;
}

function textOf(plate: string): string {
  return tryParsePlate(plate)?.text ?? plate;
}
