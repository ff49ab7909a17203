import { describe, expect, it } from 'vitest';
import { decodeEvents, encodeLineRequest, ioctls, sizes } from '../../src/device/gpio/uapi.js';

describe('the GPIO character device in bytes', () => {
  it('has the call numbers of linux/gpio.h', () => {
    expect(Object.values(ioctls).map((number) => number.toString(16))).toEqual(['8044b401', 'c100b405', 'c250b407', 'c010b40e', 'c010b40f']);
  });

  it('asks for an active-low output with its inactive level in the request itself', () => {
    const bytes = encodeLineRequest({ offset: 17, consumer: 'laurel-gate', use: 'output', activeLow: true, edges: false });
    expect(bytes.length).toBe(592);
    expect([bytes.readUInt32LE(0), bytes.readBigUInt64LE(288), bytes.readUInt32LE(296), bytes.readUInt32LE(320), bytes.readBigUInt64LE(328), bytes.readBigUInt64LE(336), bytes.readUInt32LE(560)]).toEqual([17, 0b1010n, 1, 2, 0n, 1n, 1]);
  });

  it.each([['up', 0x134n], ['down', 0x234n], ['off', 0x434n]] as const)('asks for an input with both edges and pull %s', (pull, flags) => {
    expect(encodeLineRequest({ offset: 1, consumer: 'x', use: 'input', activeLow: false, pull, edges: true }).readBigUInt64LE(288)).toBe(flags);
  });

  it('reads whole events and leaves a torn one', () => {
    const bytes = Buffer.alloc(sizes.lineEvent + 8);
    bytes.writeBigUInt64LE(5n, 0);
    bytes.writeUInt32LE(2, 8);
    bytes.writeUInt32LE(7, 20);
    expect(decodeEvents(bytes)).toEqual([{ atNs: 5n, active: false, sequence: 7 }]);
  });
});
