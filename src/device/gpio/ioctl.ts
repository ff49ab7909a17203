import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';

type Ioctl = (fd: number, request: number, argument: Buffer) => number;
let bound: Ioctl | undefined;

/** A system call that failed, with the kernel's name for it, e.g. `EBUSY`. */
export class IoctlFailure extends Error {
  readonly code: string;

  constructor(errno: number) {
    const code = nameOf(errno);
    super(code);
    this.code = code;
  }
}

/**
 * ioctl(2) with a structure that the kernel may change. Short calls only: it runs on the event loop.
 * @throws IoctlFailure
 */
export function ioctl(fd: number, request: number, argument: Buffer): void {
  bound ??= koffi.load('libc.so.6').func('int ioctl(int fd, unsigned long request, void *argument)');
  if (bound(fd, request, argument) < 0) throw new IoctlFailure(koffi.errno());
}

function nameOf(errno: number): string {
  // ENOTSUPP is the kernel's own (include/linux/errno.h); libuv does not know it.
  if (errno === 524) return 'ENOTSUPP';
  return getSystemErrorName(-errno);
}
