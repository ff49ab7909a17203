import { describe, expect, it } from 'vitest';
import { groupBits } from '../../src/device/modbus/groups.js';
import { profileOf, pulseUnits } from '../../src/device/modbus/profiles.js';
import { crc16, encodeFrame, exceptionText, findReply, hasValidCrc, silenceMs } from '../../src/device/modbus/rtu.js';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const hex = (data: Uint8Array | undefined): string | undefined => (data === undefined ? undefined : Buffer.from(data).toString('hex'));

describe('frames', () => {
  // Checksums from the boards' own manuals, not from this code.
  it.each([
    { what: 'relay 0 on', unit: 1, pdu: [0x05, 0x00, 0x00, 0xff, 0x00], frame: '01 05 00 00 FF 00 8C 3A' },
    { what: 'relay 0 off', unit: 1, pdu: [0x05, 0x00, 0x00, 0x00, 0x00], frame: '01 05 00 00 00 00 CD CA' },
    { what: 'relay 1 on', unit: 1, pdu: [0x05, 0x00, 0x01, 0xff, 0x00], frame: '01 05 00 01 FF 00 DD FA' },
    { what: 'all relays on', unit: 1, pdu: [0x05, 0x00, 0xff, 0xff, 0x00], frame: '01 05 00 FF FF 00 BC 0A' },
    { what: 'state of 8 relays', unit: 1, pdu: [0x01, 0x00, 0x00, 0x00, 0x08], frame: '01 01 00 00 00 08 3D CC' },
    { what: 'relay 0 closed for 700 ms', unit: 1, pdu: [0x05, 0x02, 0x00, 0x00, 0x07], frame: '01 05 02 00 00 07 8D B0' },
  ])('$what', ({ unit, pdu, frame }) => {
    expect(hex(encodeFrame(unit, pdu))).toBe(hex(bytes(frame)));
    expect(hasValidCrc(bytes(frame))).toBe(true);
  });

  it('knows the checksum of the specification', () => {
    // MODBUS over Serial Line V1.02, 6.2.2: 02 07 gives 41 12 on the wire.
    expect(crc16(bytes('02 07'))).toBe(0x1241);
    expect(hasValidCrc(bytes('02 07'))).toBe(false);
    expect(hasValidCrc(bytes('01 05 00 00 FF 00 8C 3B'))).toBe(false);
  });

  it('keeps the silence of the specification', () => {
    expect(silenceMs(9_600)).toBeCloseTo(4.01, 2);
    expect(silenceMs(115_200)).toBe(1.75);
  });
});

describe('the answer in the noise', () => {
  const readCoils = bytes('01 01 00 00 00 08 3D CC');
  const answer = encodeFrame(1, [0x01, 0x01, 0b1010_0001]);
  const cases: { what: string; request: Uint8Array; received: Uint8Array; reply: Uint8Array | undefined }[] = [
    { what: 'an answer alone', request: readCoils, received: answer, reply: answer },
    { what: 'half an answer', request: readCoils, received: answer.subarray(0, 4), reply: undefined },
    { what: 'noise that starts like an answer', request: readCoils, received: Uint8Array.from([1, 1, 1, 0xff, 0, ...answer]), reply: answer },
    { what: 'the adapter\'s echo before the answer', request: readCoils, received: Uint8Array.from([...readCoils, ...answer]), reply: answer },
    { what: 'a damaged answer', request: readCoils, received: Uint8Array.from([...answer.subarray(0, 3), 0, ...answer.subarray(4)]), reply: undefined },
    { what: 'the answer of another unit', request: readCoils, received: encodeFrame(2, [0x01, 0x01, 0xff]), reply: undefined },
    { what: 'an answer with more bits than asked', request: readCoils, received: encodeFrame(1, [0x01, 0x02, 0xff, 0xff]), reply: undefined },
    { what: 'an exception', request: readCoils, received: encodeFrame(1, [0x81, 0x02]), reply: encodeFrame(1, [0x81, 0x02]) },
    { what: 'a write repeated', request: bytes('01 05 00 00 FF 00 8C 3A'), received: bytes('01 05 00 00 FF 00 8C 3A'), reply: bytes('01 05 00 00 FF 00 8C 3A') },
    { what: 'the late answer to an earlier write', request: bytes('01 05 00 00 00 00 CD CA'), received: bytes('01 05 00 00 FF 00 8C 3A'), reply: undefined },
  ];
  it.each(cases)('$what', ({ request, received, reply }) => {
    expect(hex(findReply(request, received))).toBe(hex(reply));
  });

  it('says what an exception means', () => {
    expect(exceptionText(2)).toContain('no such address');
    for (const code of [1, 3, 4, 6, 11]) expect(exceptionText(code).length).toBeGreaterThan(5);
  });
});

describe('profiles', () => {
  it('a fault of an LD120 loop wins over its detection', () => {
    const map = profileOf('procon-ld120').input({ device: 'bus', unit: 3, line: 'loop' });
    expect(map).toMatchObject({ table: 'discrete', addresses: [0, 1] });
    expect(map.decode([false, false])).toBe('off');
    expect(map.decode([false, true])).toBe('on');
    expect(map.decode([true, false])).toBe('fault');
    expect(map.decode([true, true])).toBe('fault');
    expect(map.decode([])).toBe('unknown');
  });

  it('a Waveshare board times pulses itself, unless the contact is wired the other way round', () => {
    const profile = profileOf('waveshare-relay');
    expect(profile.output({ device: 'bus', line: 3 })).toEqual({ coil: 3, timedPulse: { address: 0x0203, unitMs: 100, mostUnits: 0x7fff } });
    expect(profile.output({ device: 'bus', line: 3, activeLow: true })).toEqual({ coil: 3 });
    expect(profile.input({ device: 'bus', line: 2 }).decode([true])).toBe('on');
    expect(profile.input({ device: 'bus', line: 2, activeLow: true }).decode([true])).toBe('off');
    expect(profile.input({ device: 'bus', line: 2, table: 'coil' }).table).toBe('coil');
  });

  it.each([
    { durationMs: 1, units: 1 },
    { durationMs: 100, units: 1 },
    { durationMs: 101, units: 2 },
    { durationMs: 400, units: 4 },
    { durationMs: 9_999_999, units: 0x7fff },
  ])('a pulse of $durationMs ms takes $units units of 100 ms, never shorter than asked', ({ durationMs, units }) => {
    expect(pulseUnits(durationMs, 100, 0x7fff)).toBe(units);
  });

  it.each([
    { what: 'an output on an LD120', run: () => profileOf('procon-ld120').output({ device: 'bus', line: 8 }) },
    { what: 'a second loop of an LD120', run: () => profileOf('procon-ld120').input({ device: 'bus', line: 2 }) },
    { what: 'relay 32 of a Waveshare board', run: () => profileOf('waveshare-relay').output({ device: 'bus', line: 32 }) },
    { what: 'a name for a Modbus address', run: () => profileOf('generic').input({ device: 'bus', line: 'open' }) },
    { what: 'a discrete input as output', run: () => profileOf('generic').output({ device: 'bus', line: 1, table: 'discrete' }) },
  ])('refuses $what', ({ run }) => {
    expect(run).toThrow('DEVICE_LINE_INVALID');
  });
});

describe('reading several lines with one request', () => {
  it.each([
    { wanted: [[0], [1], [7]], spans: [{ address: 0, count: 8 }] },
    { wanted: [[5], [0, 1]], spans: [{ address: 0, count: 6 }] },
    { wanted: [[0], [100]], spans: [{ address: 0, count: 1 }, { address: 100, count: 1 }] },
    { wanted: [], spans: [] },
  ])('$wanted', ({ wanted, spans }) => {
    expect(groupBits(wanted)).toEqual(spans);
  });
});
