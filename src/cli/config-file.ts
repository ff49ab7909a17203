import { copyFile, mkdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { isMap, isSeq, parseDocument, type Document } from 'yaml';
import { replaceDurably } from '../base/durable-file.js';
import { GateError, errorText } from '../base/index.js';
import { checkConfig, formatFaults } from '../config/index.js';

/** A configuration file as a document that keeps its comments. @throws GateError `CONFIG_INVALID` where it is no YAML */
export function configDocument(text: string, path: string): Document {
  const document = parseDocument(text, { version: '1.2' });
  if (document.errors.length > 0) throw new GateError('CONFIG_INVALID', formatFaults(checkConfig(text), basename(path)), { path });
  return document;
}

/** Text of a document; long lines stay as they are, so that a change shows only what was changed. */
export function documentText(document: Document): string {
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** Place of a lane under `lanes`; undefined where there is none of that id. */
export function laneIndex(document: Document, lane: string): number | undefined {
  const lanes: unknown = document.get('lanes');
  if (!isSeq(lanes)) return undefined;
  const index = lanes.items.findIndex((item) => isMap(item) && item.get('id') === lane);
  return index < 0 ? undefined : index;
}

/** Faults of a text in words; undefined where it is a right configuration. */
export function faultsOf(text: string, path: string): string | undefined {
  const faults = checkConfig(text);
  return faults.length === 0 ? undefined : formatFaults(faults, basename(path));
}

interface Written {
  /** Where the old file is kept; undefined where there was none. */
  readonly backup: string | undefined;
}

/**
 * Replaces a file so that after a power cut there is either the old or the new one, whole; the old one is kept beside it.
 * Owner and mode stay. Rejects with `CONFIG_UNREADABLE` where it cannot be written.
 * @param stamp for the name of the old file, e.g. `20260501-093000`
 */
export async function replaceFile(path: string, text: string, stamp: string): Promise<Written> {
  try {
    const old = await stat(path).catch(() => undefined);
    await mkdir(dirname(path), { recursive: true });
    const backup = old === undefined ? undefined : `${path}.${stamp}`;
    await replaceDurably(path, text, old === undefined ? { mode: 0o640 } : { mode: old.mode & 0o777, uid: old.uid, gid: old.gid }, async () => {
      if (backup !== undefined) await copyFile(path, backup);
    });
    return { backup };
  } catch (cause) {
    throw new GateError('CONFIG_UNREADABLE', `${path} cannot be written: ${errorText(cause)}. Nothing was changed; run this as a user who may write it (sudo).`, { path }, cause);
  }
}

/** `20260501-093000` in local time. */
export function fileStamp(wallMs: number): string {
  const time = new Date(wallMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${time.getFullYear()}${two(time.getMonth() + 1)}${two(time.getDate())}-${two(time.getHours())}${two(time.getMinutes())}${two(time.getSeconds())}`;
}

/**
 * Lines that go and come between two texts, with `-` and `+`, and two lines around; by the longest common subsequence
 * (Hunt and McIlroy, 1976).
 */
export function difference(before: string, after: string): readonly string[] {
  const old = before === '' ? [] : before.trimEnd().split('\n');
  const fresh = after.trimEnd().split('\n');
  const common: number[][] = Array.from({ length: old.length + 1 }, () => Array.from({ length: fresh.length + 1 }, () => 0));
  const at = (i: number, j: number): number => common[i]?.[j] ?? 0;
  for (let i = old.length - 1; i >= 0; i -= 1) {
    const row = common[i] ?? [];
    for (let j = fresh.length - 1; j >= 0; j -= 1) row[j] = old[i] === fresh[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  }
  const lines: { readonly mark: ' ' | '-' | '+'; readonly text: string }[] = [];
  let i = 0;
  let j = 0;
  while (i < old.length || j < fresh.length) {
    if (i < old.length && j < fresh.length && old[i] === fresh[j]) {
      lines.push({ mark: ' ', text: old[i] ?? '' });
      i += 1;
      j += 1;
    } else if (j >= fresh.length || (i < old.length && at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ mark: '-', text: old[i] ?? '' });
      i += 1;
    } else {
      lines.push({ mark: '+', text: fresh[j] ?? '' });
      j += 1;
    }
  }
  const near = (index: number): boolean => lines.slice(Math.max(0, index - 2), index + 3).some(({ mark }) => mark !== ' ');
  return lines.flatMap(({ mark, text }, index) => (near(index) ? [`${mark} ${text}`.trimEnd()] : []));
}
