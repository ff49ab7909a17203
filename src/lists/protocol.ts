import type { Ignored, ListCounts, TableData } from './table.js';

/** What is known of the list in force. */
export interface HeldList {
  readonly version: number;
  readonly digest: string;
  readonly counts: ListCounts;
  /** Entries that the gate keeps and cannot use. */
  readonly ignored: { readonly count: number; readonly first: readonly Ignored[] };
}

export interface LoadedList extends HeldList {
  readonly table: TableData;
  /** Ids of edits at the gate that this version, or one before it, has taken in. */
  readonly merged: readonly string[];
}

export type ListRefusal = 'LIST_BASE_UNKNOWN' | 'LIST_CONFLICT' | 'LIST_DIGEST_WRONG' | 'LIST_INCOMPLETE' | 'LIST_INVALID' | 'LIST_UNAVAILABLE' | 'LIST_WRITE_FAILED';

/** What became of one message on `list`. */
export type ListOutcome =
  | { readonly kind: 'applied'; readonly form: 'full' | 'delta'; readonly list: LoadedList }
  /** Parts of a newer list are still missing. */
  | { readonly kind: 'waiting'; readonly version: number; readonly missing: number }
  /** In force already, or older than what is. */
  | { readonly kind: 'repeated'; readonly version: number; readonly merged: readonly string[] }
  | { readonly kind: 'refused'; readonly version: number | null; readonly code: ListRefusal; readonly reason: string };

export interface LoadOutcome {
  readonly list: LoadedList | undefined;
  readonly damaged: readonly { readonly file: string; readonly why: string }[];
}

export type ToListThread =
  | { readonly id: number; readonly kind: 'load' }
  | { readonly id: number; readonly kind: 'take'; readonly payload: Uint8Array }
  /** Gives up a list of which parts are missing. */
  | { readonly id: number; readonly kind: 'abandon' };

export type FromListThread =
  | { readonly id: number; readonly kind: 'loaded'; readonly outcome: LoadOutcome }
  | { readonly id: number; readonly kind: 'taken'; readonly outcome: ListOutcome }
  | { readonly id: number; readonly kind: 'failed'; readonly reason: string };
