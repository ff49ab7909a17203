import SqliteDatabase from 'better-sqlite3';
import { createHash, hash } from 'node:crypto';
import { closeSync, fdatasyncSync, fsyncSync, openSync, readFileSync, readSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { GateError, errorText, isGateError } from '../base/index.js';
import { freeBytes } from './ballast.js';
import { BACKUP_FORMAT, CONFIG_NAME, DATABASE_NAME, MANIFEST_NAME, parseManifest, type BackupManifest, type BackupFile, type Inspection } from './backup-manifest.js';
import { eventSource } from './event-source.js';
import { EVIDENCE_NAME, picturesIn, type PictureFile } from './evidence-store.js';
import { isSound, statedHash } from './event-text.js';
import { FILE_MODE, makeDirectory, syncDirectory, syncFile, systemCode } from './files.js';
import { inspect } from './inspect.js';
import { SequenceGuard } from './sequence-guard.js';
import { readState } from './store.js';

/** What a backup is to be. */
export interface BackupRequest {
  /** The journal's own directory. */
  readonly journal: string;
  /** Folder that the backup, itself a folder, is made in. */
  readonly into: string;
  /** Name of the new folder. */
  readonly name: string;
  readonly gateId: string;
  /** Also photographs. */
  readonly evidence: boolean;
  /** Text of the configuration file, without secrets. */
  readonly config?: string;
  readonly wallMs: number;
  readonly clockTrusted: boolean;
  /** Release that made it. */
  readonly release: string;
  /** Leave the disk half of the time to events. */
  readonly pace: boolean;
}

export interface BackupProgress {
  readonly part: 'journal' | 'check' | 'photographs';
  readonly done: number;
  readonly total: number;
}

export interface BackupMade {
  /** The new folder. */
  readonly path: string;
  /** All files together. */
  readonly bytes: number;
  readonly manifest: BackupManifest;
}

/** Pages copied at a go: 1 MB. */
const PAGES = 256;
/** Kept free beside the backup itself, for the journal: many times its ballast. */
const KEEP_FREE_BYTES = 64 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
/** What to do where a backup is damaged. */
export const INSTEAD = 'use another backup, or put back what can be read of this one (gatectl restore --salvage)';

/**
 * Copies a journal, running or not, into a new folder: the database as of one moment, the guard's mark, the configuration,
 * on request the photographs, and a manifest with the SHA-256 of each. The folder has its name only once all of it is on
 * disk. The source is only read. Blocks its thread for a slice at a time. The copy is looked through, and the manifest says
 * what was found: one of a damaged journal is made all the same, since there may be no other way to keep what can be read.
 * @param end asked between slices; true gives up
 * @throws GateError BACKUP_FAILED saying what to do; then nothing is left behind
 */
export async function makeBackup(request: BackupRequest, end: () => boolean, onProgress: (progress: BackupProgress) => void): Promise<BackupMade> {
  const { into, name } = request;
  const temporary = join(into, `.${name}.tmp`);
  try {
    makeDirectory(into);
    rmSync(temporary, { recursive: true, force: true });
    makeDirectory(temporary);
    const manifest = await fill(request, temporary, end, onProgress);
    const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
    const path = join(into, name);
    renameSync(temporary, path);
    syncDirectory(into);
    return { path, bytes, manifest };
  } catch (error) {
    removeQuietly(temporary);
    if (isGateError(error)) throw error;
    const advice = systemCode(error) === 'EACCES' || systemCode(error) === 'EROFS' ? "; the gate's user must be able to write there" : '';
    throw new GateError('BACKUP_FAILED', `no backup was made in ${into}: ${errorText(error)}${advice}`, { into }, error);
  }
}

async function fill(request: BackupRequest, temporary: string, end: () => boolean, onProgress: (progress: BackupProgress) => void): Promise<BackupManifest> {
  const target = join(temporary, DATABASE_NAME);
  const check = (): void => {
    if (end()) throw new GateError('BACKUP_FAILED', 'the backup was given up: the gate stops, or its disk is full');
    if (freeBytes(temporary) < KEEP_FREE_BYTES) throw noSpace(request.into, KEEP_FREE_BYTES);
  };
  // By their files: of a damaged journal there may be no row left that names them.
  const photographs = request.evidence ? picturesIn(join(request.journal, EVIDENCE_NAME)) : [];
  await copyDatabase(request, target, photographs, check, onProgress);
  const journal = readCopy(target, request);
  const verified = await inspectCopy(target, journal, request, check, onProgress);
  const files: BackupFile[] = [describe(target, DATABASE_NAME)];
  if (request.config !== undefined) files.push(writeText(temporary, CONFIG_NAME, request.config));
  files.push(...copyPhotographs(request, temporary, photographs, check, onProgress));
  const manifest: BackupManifest = {
    format: BACKUP_FORMAT,
    gate: request.gateId,
    release: request.release,
    madeAt: new Date(request.wallMs).toISOString(),
    clockTrusted: request.clockTrusted,
    photographs: request.evidence,
    journal,
    guard: SequenceGuard.read(join(request.journal, 'sequence.guard')) ?? null,
    verified,
    files,
  };
  writeText(temporary, MANIFEST_NAME, `${JSON.stringify(manifest, null, 2)}\n`);
  syncDirectory(temporary);
  return manifest;
}

/**
 * Page by page within one read transaction, so that what is written meanwhile neither restarts nor changes the copy. The
 * copy goes to the disk as it grows: one large sync at the end would hold up the journal's own.
 */
async function copyDatabase(request: BackupRequest, target: string, photographs: readonly PictureFile[], check: () => void, onProgress: (progress: BackupProgress) => void): Promise<void> {
  const source = new SqliteDatabase(join(request.journal, DATABASE_NAME), { readonly: true, fileMustExist: true });
  try {
    source.exec('BEGIN');
    const pages: unknown = source.pragma('page_count', { simple: true });
    const pageBytes: unknown = source.pragma('page_size', { simple: true });
    const bytes = typeof pages === 'number' && typeof pageBytes === 'number' ? pages * pageBytes : 0;
    const needed = bytes + photographs.reduce((sum, picture) => sum + picture.bytes, 0) + KEEP_FREE_BYTES;
    if (freeBytes(dirname(target)) < needed) throw noSpace(request.into, needed);
    closeSync(openSync(target, 'wx', FILE_MODE));
    let startedMs = performance.now();
    await source.backup(target, {
      progress: ({ totalPages, remainingPages }) => {
        check();
        onProgress({ part: 'journal', done: totalPages - remainingPages, total: totalPages });
        syncFile(target, fdatasyncSync);
        if (request.pace) rest(performance.now() - startedMs);
        startedMs = performance.now();
        return PAGES;
      },
    });
    source.exec('COMMIT');
  } finally {
    source.close();
  }
}

/** Makes the copy one file without a log beside it, and says what it holds. */
function readCopy(target: string, { gateId }: BackupRequest): BackupManifest['journal'] {
  const copy = new SqliteDatabase(target);
  try {
    copy.pragma('journal_mode = DELETE');
    const state = readState(copy);
    if (state === undefined) throw new GateError('BACKUP_FAILED', 'the journal has not begun yet; start the gate once');
    const last = eventSource(copy, gateId).at(state.head);
    if (state.head > state.prunedThrough && (last === undefined || !isSound(last) || statedHash(last.text) !== state.headHash)) {
      throw new GateError('BACKUP_FAILED', 'the last event of the journal is damaged; run gatectl journal verify');
    }
    const schema: unknown = copy.pragma('user_version', { simple: true });
    const { epoch, head, headHash, acknowledged, prunedThrough } = state;
    return { schema: typeof schema === 'number' ? schema : 0, epoch, head, headHash, acknowledged, prunedThrough };
  } finally {
    copy.close();
    syncFile(target);
  }
}

function inspectCopy(target: string, { head, prunedThrough }: BackupManifest['journal'], { pace }: BackupRequest, check: () => void, onProgress: (progress: BackupProgress) => void): Promise<Inspection> {
  let startedMs = performance.now();
  return inspect(target, (through) => {
    check();
    onProgress({ part: 'check', done: Math.max(0, through - prunedThrough), total: head - prunedThrough });
    if (pace) rest(performance.now() - startedMs);
    startedMs = performance.now();
  });
}

/** A photograph that retention removed meanwhile, or whose bytes are not those that were stored, is left out. */
function copyPhotographs(request: BackupRequest, temporary: string, photographs: readonly PictureFile[], check: () => void, onProgress: (progress: BackupProgress) => void): BackupFile[] {
  const files: BackupFile[] = [];
  photographs.forEach(({ id, path: source }, index) => {
    check();
    onProgress({ part: 'photographs', done: index, total: photographs.length });
    const startedMs = performance.now();
    const path = relative(request.journal, source);
    let bytes: Buffer;
    try {
      bytes = readFileSync(source);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return;
      throw error;
    }
    if (hash('sha256', bytes, 'hex') !== id) return;
    makeDirectory(dirname(join(temporary, path)));
    files.push(writeFile(temporary, path, bytes));
    if (request.pace) rest(performance.now() - startedMs);
  });
  return files;
}

/** A backup as it lies in its folder. */
export class BackupFolder {
  readonly path: string;
  readonly manifest: BackupManifest;

  private constructor(path: string, manifest: BackupManifest) {
    this.path = path;
    this.manifest = manifest;
  }

  /** @throws GateError BACKUP_INVALID where it is no backup, or one of a newer release */
  static open(path: string): BackupFolder {
    let text: string;
    try {
      text = readFileSync(join(path, MANIFEST_NAME), 'utf8');
    } catch (error) {
      throw new GateError('BACKUP_INVALID', `${path} is no backup: its ${MANIFEST_NAME} cannot be read (${errorText(error)}); name the folder that gatectl backup printed`, { path }, error);
    }
    return new BackupFolder(path, parseManifest(text, path));
  }

  has(name: string): boolean {
    return this.manifest.files.some((file) => file.path === name);
  }

  /** Holds every file against the manifest. @returns for each that is missing or changed a GateError BACKUP_INVALID */
  *faults(): Generator<{ readonly path: string; readonly fault: GateError }> {
    for (const { path, sha256 } of this.manifest.files) {
      let found: BackupFile;
      try {
        found = describe(join(this.path, path), path);
      } catch (error) {
        yield { path, fault: new GateError('BACKUP_INVALID', `${path} of the backup cannot be read (${errorText(error)}); ${INSTEAD}`, { file: path }, error) };
        continue;
      }
      if (found.sha256 !== sha256) yield { path, fault: new GateError('BACKUP_INVALID', `${path} of the backup is not as it was written; ${INSTEAD}`, { file: path }) };
    }
  }

  /** @throws GateError BACKUP_INVALID naming the first file that is missing or changed */
  check(): void {
    for (const { fault } of this.faults()) throw fault;
  }
}

function writeFile(directory: string, path: string, bytes: Buffer): BackupFile {
  const handle = openSync(join(directory, path), 'wx', FILE_MODE);
  try {
    // Not writeSync: on a disk about to be full it writes a part and says so only in its answer.
    writeFileSync(handle, bytes);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  syncDirectory(dirname(join(directory, path)));
  return { path, bytes: bytes.length, sha256: hash('sha256', bytes, 'hex') };
}

/** Copies a file in slices and syncs it. */
export function copyFile(from: string, to: string): void {
  const source = openSync(from, 'r');
  try {
    const target = openSync(to, 'wx', FILE_MODE);
    try {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      for (let read = readSync(source, chunk); read > 0; read = readSync(source, chunk)) writeFileSync(target, chunk.subarray(0, read));
      fsyncSync(target);
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

function writeText(directory: string, path: string, text: string): BackupFile {
  return writeFile(directory, path, Buffer.from(text, 'utf8'));
}

function describe(path: string, name: string): BackupFile {
  const sum = createHash('sha256');
  const handle = openSync(path, 'r');
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let read = readSync(handle, chunk); read > 0; read = readSync(handle, chunk)) sum.update(chunk.subarray(0, read));
  } finally {
    closeSync(handle);
  }
  return { path: name, bytes: statSync(path).size, sha256: sum.digest('hex') };
}

function rest(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.min(ms, 1_000));
}

function noSpace(into: string, bytes: number): GateError {
  return new GateError('BACKUP_FAILED', `a backup in ${basename(into)} needs ${Math.ceil(bytes / 1_000_000)} MB free; make room, or name a folder on another disk`, { neededBytes: bytes });
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // The failure that led here is the one to tell; the next backup removes the remains.
  }
}
