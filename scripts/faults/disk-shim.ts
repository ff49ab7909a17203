import { execFileSync } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('disk-faults.c', import.meta.url));

export interface DiskFault {
  /** Operation, counted from 1 at the start of the process, with which it begins. */
  readonly first: number;
  /** So many operations are met by it. */
  readonly count: number;
  readonly error: 'ENOSPC' | 'EIO';
  /** `half`: half of each write is done before it fails. `own`: only operations of these kinds are counted. */
  readonly kinds: readonly ('write' | 'sync' | 'read' | 'half' | 'own')[];
}

export interface DiskShimOptions {
  /** Directory watched, absolute. */
  readonly root: string;
  /** Record of every change, for `DiskImage`. */
  readonly log?: string;
  /** The process is killed before this operation. */
  readonly cutAt?: number;
  readonly fail?: DiskFault;
  /** Bytes the files may grow by. */
  readonly spaceBytes?: number;
  /** From this write on, counted from 1, the files have no room to grow in but what others give free. */
  readonly fullFromWrite?: number;
  /** File that gets one byte for every operation that was made to fail or found no room: whether the fault struck at all. */
  readonly hits?: string;
  /** Each synchronisation takes so long, ms. */
  readonly syncMs?: number;
  /** Synchronising a file succeeds and keeps nothing. */
  readonly liesAboutSync?: boolean;
}

/**
 * Compiles `disk-faults.c`. @returns path of the library, or undefined where this machine has no C compiler or another
 * loader than Linux's
 */
export function compileDiskShim(directory: string): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const library = join(directory, 'disk-faults.so');
  try {
    execFileSync('cc', ['-O2', '-shared', '-fPIC', '-o', library, source, '-ldl', '-lpthread'], { stdio: 'ignore' });
    return library;
  } catch {
    return undefined;
  }
}

/** Environment under which a process's files below the root are recorded, cut short, made to fail. */
export function diskShimEnvironment(library: string, { root, log, cutAt, fail, spaceBytes, fullFromWrite, hits, syncMs, liesAboutSync }: DiskShimOptions): Readonly<Record<string, string>> {
  return {
    LD_PRELOAD: library,
    LAUREL_DISK_ROOT: root,
    // Operations have to go through the C library to be seen.
    UV_USE_IO_URING: '0',
    ...(log === undefined ? {} : { LAUREL_DISK_LOG: log }),
    ...(cutAt === undefined ? {} : { LAUREL_DISK_CUT: String(cutAt) }),
    ...(fail === undefined ? {} : { LAUREL_DISK_FAIL: `${fail.first},${fail.count},${constants.errno[fail.error]},${fail.kinds.map((kind) => kind.charAt(0)).join('')}` }),
    ...(spaceBytes === undefined ? {} : { LAUREL_DISK_SPACE: String(spaceBytes) }),
    ...(fullFromWrite === undefined ? {} : { LAUREL_DISK_FULL: String(fullFromWrite) }),
    ...(hits === undefined ? {} : { LAUREL_DISK_HITS: hits }),
    ...(syncMs === undefined ? {} : { LAUREL_DISK_SLOW: String(Math.round(syncMs * 1_000)) }),
    ...(liesAboutSync === true ? { LAUREL_DISK_LIES: '1' } : {}),
  };
}
