import { isAbsolute, normalize } from 'node:path';
import { GateError } from '../base/index.js';
import type { GuardMark } from './sequence-guard.js';

export const MANIFEST_NAME = 'manifest.json';
export const DATABASE_NAME = 'journal.db';
export const CONFIG_NAME = 'gate.yaml';
export const BACKUP_FORMAT = 1;

export interface BackupFile {
  /** Relative to the backup's folder. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** What a look at every event and table of a copy found. */
export interface Inspection {
  /** Events whose chain was walked. */
  readonly checked: number;
  /** First sequence at which the chain does not hold, or whose event cannot be read; null where there is none. */
  readonly brokenAt: number | null;
  /** Other tables that have destroyed pages. */
  readonly unreadable: readonly string[];
}

/** `manifest.json` of a backup. */
export interface BackupManifest {
  readonly format: number;
  readonly gate: string;
  /** Release that made it. */
  readonly release: string;
  /** ISO 8601, UTC, as the gate believed. */
  readonly madeAt: string;
  readonly clockTrusted: boolean;
  readonly photographs: boolean;
  readonly journal: {
    readonly schema: number;
    readonly epoch: number;
    readonly head: number;
    readonly headHash: string;
    readonly acknowledged: number;
    readonly prunedThrough: number;
  };
  /** Bounds of the numbers that the gate may have used when it was made. */
  readonly guard: GuardMark | null;
  /** Absent from backups of releases that did not look. */
  readonly verified?: Inspection;
  readonly files: readonly BackupFile[];
}

/** Whether the copy was looked through when it was made, and found whole. */
export function isVerified({ verified }: BackupManifest): boolean {
  return verified !== undefined && damageIn(verified) === undefined;
}

/** What is wrong with a copy, in words; undefined where nothing is. */
export function damageIn({ brokenAt, unreadable }: Pick<Inspection, 'brokenAt' | 'unreadable'>): string | undefined {
  const found = [...(brokenAt === null ? [] : [`its chain breaks at event ${brokenAt}`]), ...(unreadable.length === 0 ? [] : [`pages of ${unreadable.join(', ')} are destroyed`])];
  return found.length === 0 ? undefined : found.join(', ');
}

const SHA256 = /^[0-9a-f]{64}$/u;

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isInside(path: string): boolean {
  return !isAbsolute(path) && !normalize(path).startsWith('..') && path !== '';
}

function isFile(value: unknown): value is BackupFile {
  const { path, bytes, sha256 } = fieldsOf(value);
  return typeof path === 'string' && isInside(path) && isNumber(bytes) && typeof sha256 === 'string' && SHA256.test(sha256);
}

function isJournal(value: unknown): value is BackupManifest['journal'] {
  const fields = fieldsOf(value);
  return ['schema', 'epoch', 'head', 'acknowledged', 'prunedThrough'].every((name) => isNumber(fields[name])) && typeof fields['headHash'] === 'string' && SHA256.test(fields['headHash']);
}

function isGuard(value: unknown): value is GuardMark | null {
  if (value === null) return true;
  const fields = fieldsOf(value);
  return ['epoch', 'reserved', 'used', 'acknowledged'].every((name) => isNumber(fields[name]));
}

function isInspection(value: unknown): value is Inspection {
  const { checked, brokenAt, unreadable } = fieldsOf(value);
  return isNumber(checked) && (brokenAt === null || isNumber(brokenAt)) && Array.isArray(unreadable) && unreadable.every((table) => typeof table === 'string');
}

function isManifest(value: unknown): value is BackupManifest {
  const { gate, release, madeAt, clockTrusted, photographs, journal, guard, verified, files } = fieldsOf(value);
  return (
    [gate, release, madeAt].every((text) => typeof text === 'string') &&
    [clockTrusted, photographs].every((flag) => typeof flag === 'boolean') &&
    isJournal(journal) &&
    isGuard(guard) &&
    (verified === undefined || isInspection(verified)) &&
    Array.isArray(files) &&
    files.every(isFile) &&
    files.some((file: BackupFile) => file.path === DATABASE_NAME)
  );
}

/** @throws GateError BACKUP_INVALID */
export function parseManifest(text: string, directory: string): BackupManifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new GateError('BACKUP_INVALID', `the ${MANIFEST_NAME} of ${directory} is damaged; use another backup`, { directory }, error);
  }
  const { format } = fieldsOf(value);
  if (isNumber(format) && format > BACKUP_FORMAT) throw new GateError('BACKUP_INVALID', `the backup has format ${format}, this release knows ${BACKUP_FORMAT}; install the newer release first`, { format });
  if (!isManifest(value)) throw new GateError('BACKUP_INVALID', `the ${MANIFEST_NAME} of ${directory} does not describe a backup; use another one`, { directory });
  return value;
}
