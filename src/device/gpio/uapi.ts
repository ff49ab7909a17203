/**
 * The GPIO character device's binary interface, version 2 (include/uapi/linux/gpio.h, Linux 5.10 and newer), as pure
 * functions over bytes. Offsets are the same on x64 and arm64: every field is aligned to its own size, and both are little-endian.
 */

/** `_IOC(dir, type, nr, size)` of include/uapi/asm-generic/ioctl.h, as x86 and arm64 have it: nr 8 bits, type 8, size 14, direction 2. */
function ioc(direction: number, nr: number, size: number): number {
  return direction * 2 ** 30 + size * 2 ** 16 + 0xb4 * 2 ** 8 + nr;
}

/** Bytes of the structures; a size that the kernel does not expect changes the number of the call, and the kernel refuses it. */
export const sizes = { chipInfo: 68, lineInfo: 256, lineRequest: 592, lineValues: 16, lineEvent: 48 };

const read = 2;
const readWrite = 3;

/** Numbers of the calls: `_IOR(0xB4, …)` and `_IOWR(0xB4, …)`. */
export const ioctls = {
  getChipInfo: ioc(read, 0x01, sizes.chipInfo),
  getLineInfo: ioc(readWrite, 0x05, sizes.lineInfo),
  getLine: ioc(readWrite, 0x07, sizes.lineRequest),
  getValues: ioc(readWrite, 0x0e, sizes.lineValues),
  setValues: ioc(readWrite, 0x0f, sizes.lineValues),
};

const flag = { used: 1n << 0n, activeLow: 1n << 1n, input: 1n << 2n, output: 1n << 3n, rising: 1n << 4n, falling: 1n << 5n };
const bias = { up: 1n << 8n, down: 1n << 9n, off: 1n << 10n };
const outputValues = 2;
const nameBytes = 32;

/** What is asked of one line. */
export interface LineRequest {
  readonly offset: number;
  /** The level an output starts with, logical; inactive where omitted. */
  readonly active?: boolean;
  /** Shown by `gpioinfo`, at most 31 bytes. */
  readonly consumer: string;
  /** `as-is` changes nothing, to read a line as it was left. */
  readonly use: 'input' | 'output' | 'as-is';
  readonly activeLow: boolean;
  readonly pull?: 'up' | 'down' | 'off' | undefined;
  /** Report both edges; inputs alone. */
  readonly edges: boolean;
}

/** `struct gpio_v2_line_request` for one line; an output's first level is set by the kernel together with the direction. */
export function encodeLineRequest(request: LineRequest): Buffer {
  const bytes = Buffer.alloc(sizes.lineRequest);
  bytes.writeUInt32LE(request.offset, 0);
  bytes.write(request.consumer.slice(0, nameBytes - 1), 256, 'ascii');
  let flags = request.use === 'input' ? flag.input : request.use === 'output' ? flag.output : 0n;
  if (request.activeLow) flags |= flag.activeLow;
  if (request.edges) flags |= flag.rising | flag.falling;
  if (request.pull !== undefined) flags |= bias[request.pull];
  bytes.writeBigUInt64LE(flags, 288);
  if (request.use === 'output') {
    bytes.writeUInt32LE(1, 296);
    bytes.writeUInt32LE(outputValues, 320);
    bytes.writeBigUInt64LE(request.active === true ? 1n : 0n, 328);
    bytes.writeBigUInt64LE(1n, 336);
  }
  bytes.writeUInt32LE(1, 560);
  return bytes;
}

/** Descriptor of the line, from the answered request. */
export function requestedFd(request: Buffer): number {
  return request.readInt32LE(588);
}

/** `struct gpiochip_info`. */
export function decodeChipInfo(bytes: Buffer): { readonly name: string; readonly label: string; readonly lines: number } {
  return { name: text(bytes, 0), label: text(bytes, nameBytes), lines: bytes.readUInt32LE(64) };
}

export function encodeLineInfo(offset: number): Buffer {
  const bytes = Buffer.alloc(sizes.lineInfo);
  bytes.writeUInt32LE(offset, 64);
  return bytes;
}

/** `struct gpio_v2_line_info`: who holds the line, if anybody, and whether it is driven. */
export function decodeLineInfo(bytes: Buffer): { readonly name: string; readonly consumer: string; readonly used: boolean; readonly output: boolean } {
  const flags = bytes.readBigUInt64LE(72);
  return { name: text(bytes, 0), consumer: text(bytes, nameBytes), used: (flags & flag.used) !== 0n, output: (flags & flag.output) !== 0n };
}

/** `struct gpio_v2_line_values` for the one line of a request. */
export function encodeValue(active: boolean): Buffer {
  const bytes = Buffer.alloc(sizes.lineValues);
  bytes.writeBigUInt64LE(active ? 1n : 0n, 0);
  bytes.writeBigUInt64LE(1n, 8);
  return bytes;
}

export function decodeValue(bytes: Buffer): boolean {
  return (bytes.readBigUInt64LE(0) & 1n) === 1n;
}

/** One edge. */
export interface LineEvent {
  /** CLOCK_MONOTONIC, ns. */
  readonly atNs: bigint;
  /** Logical: inactive to active. */
  readonly active: boolean;
  /** Counts the line's edges from 1; a gap means that the kernel's buffer ran over. */
  readonly sequence: number;
}

/** Whole `struct gpio_v2_line_event`s, oldest first. */
export function decodeEvents(bytes: Buffer): readonly LineEvent[] {
  const events: LineEvent[] = [];
  for (let at = 0; at + sizes.lineEvent <= bytes.length; at += sizes.lineEvent) {
    events.push({ atNs: bytes.readBigUInt64LE(at), active: bytes.readUInt32LE(at + 8) === 1, sequence: bytes.readUInt32LE(at + 20) });
  }
  return events;
}

function text(bytes: Buffer, at: number): string {
  const field = bytes.subarray(at, at + nameBytes);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? nameBytes : end);
}
