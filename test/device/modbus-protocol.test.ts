import { describe, expect, it } from 'vitest';
import { groupAddresses } from '../../src/device/modbus/groups.js';
import { figureValue, profileOf } from '../../src/device/modbus/profiles.js';
import { crc16, encodeFrame, exceptionText, findReply, hasValidCrc, silenceMs } from '../../src/device/modbus/rtu.js';
import { pulseUnits } from '../../src/device/serial/index.js';

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

  const readRegisters = encodeFrame(1, [0x03, 0x00, 0x05, 0x00, 0x02]);
  const registers = encodeFrame(1, [0x03, 0x04, 0x12, 0x34, 0x56, 0x78]);
  const registerCases: { what: string; request: Uint8Array; received: Uint8Array; reply: Uint8Array | undefined }[] = [
    { what: 'registers', request: readRegisters, received: registers, reply: registers },
    { what: 'registers behind noise', request: readRegisters, received: Uint8Array.from([1, 3, 4, 0, ...registers]), reply: registers },
    { what: 'registers of the other table', request: encodeFrame(1, [0x04, 0x00, 0x05, 0x00, 0x02]), received: registers, reply: undefined },
    { what: 'more registers than asked', request: encodeFrame(1, [0x03, 0x00, 0x05, 0x00, 0x01]), received: registers, reply: undefined },
    { what: 'a register written', request: encodeFrame(1, [0x06, 0x00, 0x08, 0x00, 0x0a]), received: encodeFrame(1, [0x06, 0x00, 0x08, 0x00, 0x0a]), reply: encodeFrame(1, [0x06, 0x00, 0x08, 0x00, 0x0a]) },
    { what: 'another value written', request: encodeFrame(1, [0x06, 0x00, 0x08, 0x00, 0x0a]), received: encodeFrame(1, [0x06, 0x00, 0x08, 0x00, 0x0b]), reply: undefined },
    { what: 'several registers written', request: encodeFrame(1, [0x10, 0x00, 0x03, 0x00, 0x02, 4, 0, 4, 0, 20]), received: encodeFrame(1, [0x10, 0x00, 0x03, 0x00, 0x02]), reply: encodeFrame(1, [0x10, 0x00, 0x03, 0x00, 0x02]) },
  ];
  it.each(registerCases)('$what', ({ request, received, reply }) => {
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
    expect(map).toMatchObject({ table: 'discrete', addresses: [0, 1, 4, 5] });
    expect(map.decode([0, 0, 0, 0])).toBe('off');
    expect(map.decode([0, 1, 0, 0])).toBe('on');
    expect(map.decode([1, 0, 0, 0])).toBe('fault');
    expect(map.decode([1, 1, 1, 0])).toBe('fault');
    expect(map.decode([])).toBe('unknown');
  });

  it('an LD120 says what is wrong with its loop', () => {
    const map = profileOf('procon-ld120').input({ device: 'bus', unit: 3, line: 'loop' });
    expect(map.trouble?.([0, 1, 0, 0])).toBeUndefined();
    expect(map.trouble?.([1, 0, 1, 0])).toContain('open circuit');
    expect(map.trouble?.([1, 0, 0, 1])).toContain('short circuit');
    expect(map.trouble?.([1, 0, 0, 0])).toContain('loop fault');
    expect(map.raw([1, 0, 1, 0])).toBe('fault 1, detect 0, open 1, short 0');
  });

  it('an LD120 is told from other boards by its module type', () => {
    const [check] = profileOf('procon-ld120').checks([]);
    expect(check).toMatchObject({ table: 'input', address: 0, required: true });
    expect(check?.judge([0x1e22], 11)).toEqual({ kind: 'ok' });
    expect(check?.judge([0x1e23], 11)).toMatchObject({ kind: 'wrong' });
  });

  it('a Waveshare board times pulses itself, unless the contact is wired the other way round or it is told not to', () => {
    const profile = profileOf('waveshare-relay');
    expect(profile.output({ device: 'bus', line: 3 }, 'board').timedPulse).toBeDefined();
    expect(profile.output({ device: 'bus', line: 3 }, 'gateway').timedPulse).toBeUndefined();
    expect(profile.output({ device: 'bus', line: 3, activeLow: true }, 'board').timedPulse).toBeUndefined();
    expect(profile.input({ device: 'bus', line: 2 }).decode([1])).toBe('on');
    expect(profile.input({ device: 'bus', line: 2, activeLow: true }).decode([1])).toBe('off');
    expect(profile.input({ device: 'bus', line: 2, table: 'coil' }).table).toBe('coil');
  });

  it('a Waveshare board whose inputs drive relays in use is named, with what to set', () => {
    const [check] = profileOf('waveshare-relay').checks([1, 3]);
    expect(check).toMatchObject({ table: 'holding', address: 0x1001, count: 3, required: false });
    expect(check?.judge([0, 1, 0], 1)).toEqual({ kind: 'ok' });
    const verdict = check?.judge([0, 0, 1], 1);
    expect(verdict).toMatchObject({ kind: 'warning' });
    expect(verdict?.kind === 'warning' ? verdict.text : '').toContain('setup: [{address: 4099, value: 0}]');
  });

  it('a register is on by a bit, or by its value; other values mean off or fault', () => {
    const { input } = profileOf('generic');
    const bit = input({ device: 'bus', line: 1, table: 'input', bit: 4, activeLow: true });
    expect([bit.decode([0x0010]), bit.decode([0xffef]), bit.decode([undefined])]).toEqual(['off', 'on', 'unknown']);
    expect(bit.raw([0x13])).toBe('0x0013');
    // A radar: 0 nobody, 1 person, 2 vehicle, 255 failed.
    const radar = input({ device: 'bus', line: 1, table: 'holding', equals: [1, 2], faultValues: [255] });
    expect([0, 1, 2, 3, 255].map((value) => radar.decode([value]))).toEqual(['off', 'on', 'on', 'off', 'fault']);
  });

  it('a frequency of two registers is put together in either order', () => {
    const figure = { kind: 'frequency', table: 'input', address: 0, words: 2, scale: 0.5 } as const;
    expect(figureValue({ ...figure, lowWordFirst: false }, [1, 2])).toBe(32_769);
    expect(figureValue({ ...figure, lowWordFirst: true }, [2, 1])).toBe(32_769);
    expect(figureValue({ ...figure, words: 1, lowWordFirst: false, scale: 10 }, [4_321])).toBe(43_210);
    expect(figureValue({ ...figure, lowWordFirst: false }, [1])).toBeUndefined();
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
    { what: 'an output on an LD120', run: () => profileOf('procon-ld120').output({ device: 'bus', line: 8 }, 'gateway') },
    { what: 'a second loop of an LD120', run: () => profileOf('procon-ld120').input({ device: 'bus', line: 2 }) },
    { what: 'relay 32 of a Waveshare board', run: () => profileOf('waveshare-relay').output({ device: 'bus', line: 32 }, 'board') },
    { what: 'a name for a Modbus address', run: () => profileOf('generic').input({ device: 'bus', line: 'open' }) },
    { what: 'a discrete input as output', run: () => profileOf('generic').output({ device: 'bus', line: 1, table: 'discrete' }, 'gateway') },
    { what: 'relay 8 of an LC-Modbus-8R', run: () => profileOf('lc-modbus-8r').output({ device: 'bus', line: 8 }, 'gateway') },
    { what: 'a register without bit or values', run: () => profileOf('generic').input({ device: 'bus', line: 1, table: 'holding' }) },
    { what: 'a register with both', run: () => profileOf('generic').input({ device: 'bus', line: 1, table: 'holding', bit: 0, equals: [1] }) },
    { what: 'a bit of a coil', run: () => profileOf('generic').input({ device: 'bus', line: 1, table: 'coil', bit: 0 }) },
    { what: 'a register of a relay board', run: () => profileOf('waveshare-relay').input({ device: 'bus', line: 1, table: 'holding', bit: 0 }) },
    { what: 'an output register without values', run: () => profileOf('generic').output({ device: 'bus', line: 1, table: 'holding' }, 'gateway') },
    { what: 'an output register that is on and off at one value', run: () => profileOf('generic').output({ device: 'bus', line: 1, table: 'holding', write: { on: 1, off: 1 } }, 'gateway') },
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
    expect(groupAddresses(wanted, { most: 2_000 })).toEqual(spans);
  });

  it('never asks for more than the unit takes', () => {
    const wanted = Array.from({ length: 20 }, (_, index) => [index]);
    const spans = groupAddresses(wanted, { most: 8 });
    expect(spans.map(({ count }) => count)).toEqual([8, 8, 4]);
  });

  it('asks a board for its whole block where it answers nothing else', () => {
    expect(groupAddresses([[2], [5]], { most: 2_000, block: 8 })).toEqual([{ address: 0, count: 8 }]);
    expect(groupAddresses([[7], [8]], { most: 2_000, block: 8 })).toEqual([{ address: 0, count: 8 }, { address: 8, count: 8 }]);
  });
});
