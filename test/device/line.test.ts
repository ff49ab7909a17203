import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { ManualClock, silentLog, type SignalState } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { createDevice, type Device, type LineOptions, type Traffic } from '../../src/device/index.js';
import { LineCutter, checksumOf, says, statementOf, usualTexts, withChecksum, withoutChecksum } from '../../src/device/line/grammar.js';
import { LineInput } from '../../src/device/line/input.js';
import { deviceContract } from '../support/device-contract.js';
import { LineBoard, type LineBoardOptions } from '../support/line-board.js';
import { until } from '../support/until.js';

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));

describe('cutting bytes into lines', () => {
  const cut = (...pieces: readonly (string | readonly [string, number])[]): readonly string[] => {
    const cutter = new LineCutter();
    return pieces.flatMap((piece) => (typeof piece === 'string' ? cutter.feed(bytes(piece), 0) : cutter.feed(bytes(piece[0]), piece[1])));
  };

  it.each([
    { what: 'what stands before the first end of a line may be half a line', pieces: ['1=1\r\nL1=0\r\n'], lines: ['L1=0'] },
    { what: 'any end ends a line', pieces: ['\nL1=1\rL2=1\nL3=1\r\n'], lines: ['L1=1', 'L2=1', 'L3=1'] },
    { what: 'a line may come in pieces', pieces: ['\n', 'L', '1=', '1', '\r', '\n'], lines: ['L1=1'] },
    { what: 'blanks around a line do not count', pieces: ['\n  L1=1 \t\n'], lines: ['L1=1'] },
    { what: 'a byte that is no ASCII spoils its line alone', pieces: ['\nL1=\x801\nL1=0\n'], lines: ['L1=0'] },
    { what: 'zeros of an idle line spoil its line', pieces: ['\n\0L1=1\nL1=0\n'], lines: ['L1=0'] },
    { what: 'a line without end is dropped, not kept', pieces: ['\n', 'x'.repeat(100_000), '\nL1=1\n'], lines: ['L1=1'] },
    { what: 'half a line that stood too long does not become one with the next', pieces: ['\n', 'L1=', ['1\nL2=1\n', 1_500] as const], lines: ['L2=1'] },
  ])('$what', ({ pieces, lines }) => {
    expect(cut(...pieces)).toEqual(lines);
  });

  it('starts afresh when the port was opened anew', () => {
    const cutter = new LineCutter();
    cutter.feed(bytes('\nL1='), 0);
    cutter.reset();
    expect(cutter.feed(bytes('1\nL1=0\n'), 0)).toEqual(['L1=0']);
  });
});

describe('what a line says', () => {
  it('compares whole lines and fields, with wildcards', () => {
    expect(says('L1=1', 'L1=1')).toBe(true);
    expect(says('L1=10', 'L1=1')).toBe(false);
    expect(says('xL1=1', 'L1=1')).toBe(false);
    expect(says('L1=1 L2=0', 'L2=0')).toBe(true);
    expect(says('L1=1,L2=0;L3=1', 'L3=1')).toBe(true);
    expect(says('$LOOP,1,0,1', '$LOOP,?,0,?')).toBe(true);
    expect(says('LOOP 1 OCCUPIED', 'LOOP 1 OCC*')).toBe(true);
    expect(says('LOOP 12 OCCUPIED', 'LOOP 1 OCC*')).toBe(false);
    expect(says('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab', '*a*a*a*a*a*a*a*a*c')).toBe(false);
  });

  it('reads level, fault and frequency; a line that contradicts itself leaves the input unknown', () => {
    const l1 = usualTexts('L1');
    expect(statementOf('L1=1', l1)).toEqual({ state: 'on', text: 'L1=1' });
    expect(statementOf('L2=1 L1=0', l1)).toEqual({ state: 'off', text: 'L1=0' });
    expect(statementOf('L1=FAULT', l1)).toMatchObject({ state: 'fault' });
    expect(statementOf('L1=1 L1=0', l1)).toMatchObject({ state: 'unknown' });
    expect(statementOf('L1=2', l1)).toBeUndefined();
    expect(statementOf('L1', l1)).toBeUndefined();
    expect(statementOf('F1=45.2', { name: 'L1', frequency: { after: 'F1=', scaleHz: 1_000 } })).toEqual({ frequencyHz: 45_200, text: '' });
    expect(statementOf('F1=x', { name: 'L1', frequency: { after: 'F1=' } })).toBeUndefined();
  });

  it('reads a bit of a hexadecimal number, as IO modules with ASCII commands answer', () => {
    const input = { name: 'loop', hex: { after: '!', bit: 9 } };
    expect(statementOf('!000200', input)).toMatchObject({ state: 'on' });
    expect(statementOf('!000100', input)).toMatchObject({ state: 'off' });
    expect(statementOf('!01', input)).toBeUndefined();
    expect(statementOf('!00x200', input)).toBeUndefined();
    expect(statementOf('IN=80000000', { name: 'loop', hex: { after: 'IN=', bit: 31 } })).toMatchObject({ state: 'on' });
  });

  it('checks the sum of a line', () => {
    // A sentence from the NMEA 0183 literature, with its sum.
    const sentence = '$GPGLL,4916.45,N,12311.12,W,225444,A';
    expect(checksumOf(sentence, 'xor')).toBe('31');
    expect(withoutChecksum(`${sentence}*31`, 'xor')).toBe(sentence);
    expect(withoutChecksum(`${sentence}*32`, 'xor')).toBeUndefined();
    expect(withoutChecksum('L1=1', 'xor')).toBeUndefined();
    expect(withoutChecksum('L1=1*71', 'xor')).toBe('L1=1');
    expect(withoutChecksum('L1=0*71', 'xor')).toBeUndefined();
    expect(withChecksum('AB', 'sum')).toBe('AB*83');
    expect(withoutChecksum('L1=1*', 'none')).toBe('L1=1*');
  });

  it('no noise of any kind makes a level, and none breaks the reading of what comes after it', () => {
    const noise = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(fc.array(noise, { maxLength: 20 }), (chunks) => {
        const cutter = new LineCutter();
        const lines = chunks.flatMap((chunk) => [...cutter.feed(chunk, 0)]);
        // Four right characters in a row and nothing else between two ends of a line do not come about by chance here.
        const statements = lines.flatMap((line) => statementOf(withoutChecksum(line, 'xor') ?? '', usualTexts('L1')) ?? []);
        expect(statements).toEqual([]);
        expect(cutter.feed(bytes('\r\nL1=1*71\r\n'), 0).at(-1)).toBe('L1=1*71');
      }),
      { numRuns: 500, seed: 4 },
    );
  });

  it('a line with any one bit turned over is dropped where lines carry a sum', () => {
    const line = bytes('L1=1 L2=0*31');
    for (let at = 0; at < line.length; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const spoilt = Uint8Array.from(line);
        spoilt[at] = (spoilt[at] ?? 0) ^ (1 << bit);
        const lines = new LineCutter().feed(Uint8Array.from([10, ...spoilt, 10]), 0);
        const said = lines.flatMap((text) => statementOf(withoutChecksum(text, 'xor') ?? '', usualTexts('L1')) ?? []);
        // Only the case of the digits of the sum itself may turn over unnoticed, and then the line is right.
        expect(said.every(({ state }) => state === 'on')).toBe(true);
      }
    }
  });
});

describe('an input that is stated in words', () => {
  const make = (activeLow = false): { clock: ManualClock; input: LineInput } => {
    const clock = new ManualClock();
    return { clock, input: new LineInput({ device: 'd', line: 'L1', activeLow }, usualTexts('L1'), 1_000, clock, silentLog, () => undefined) };
  };

  it('is unknown when the detector goes silent, and stays known while it says that it lives', () => {
    const { clock, input } = make();
    input.take({ state: 'off', text: 'L1=0' });
    clock.advance(900);
    input.refresh();
    clock.advance(900);
    expect(input.state()).toBe('off');
    clock.advance(100);
    expect(input.state()).toBe('unknown');
    // A sign of life alone tells nothing of what happened meanwhile.
    input.refresh();
    expect(input.state()).toBe('unknown');
  });

  it('is turned round where the wiring is; a fault is not', () => {
    const { input } = make(true);
    input.take({ state: 'off', text: 'L1=0' });
    expect(input.state()).toBe('on');
    input.take({ state: 'fault', text: 'L1=F' });
    expect(input.state()).toBe('fault');
  });
});

describe('a detector on a serial line', () => {
  const started: Device[] = [];
  const boards: LineBoard[] = [];

  afterEach(async () => {
    for (const device of started.splice(0)) await device.stop();
    for (const board of boards.splice(0)) await board.close();
  });

  async function board(options: LineBoardOptions): Promise<LineBoard> {
    const made = new LineBoard(options);
    boards.push(made);
    await made.plug();
    return made;
  }

  function make(path: string, more: Partial<LineOptions> = {}): Device {
    const device = createDevice(
      { id: 'd', driver: 'line', path, baudRate: 115_200, parity: 'none', stopBits: 1, checksum: 'none', lineEnd: 'crlf', silenceMs: 600, timeoutMs: 150, inputs: [], outputs: [], ...more },
      systemClock,
      silentLog,
    );
    started.push(device);
    return device;
  }

  it('sends by itself: knows every input after the start, follows it, and says what it heard', async () => {
    const detector = await board({ everyMs: 100 });
    detector.inputs.set('L1', '0');
    detector.inputs.set('L2', 'FAULT');
    const device = make(detector.path);
    const loop = device.input({ device: 'd', line: 'L1' });
    const other = device.input({ device: 'd', line: 'L2' });
    await device.start();
    expect([loop.state(), other.state()]).toEqual(['off', 'fault']);
    expect(device.health()).toEqual({ state: 'ok' });
    detector.set('L1', '1');
    await until(() => loop.state() === 'on', { what: 'the loop' });
    expect(device.lines()[0]).toMatchObject({ use: 'input', state: 'on', raw: 'L1=1', changes: 1 });
  });

  it('goes unknown when the detector falls silent, names what it heard last, and recovers', async () => {
    const detector = await board({ everyMs: 100 });
    detector.inputs.set('L1', '0');
    const device = make(detector.path);
    const loop = device.input({ device: 'd', line: 'L1' });
    await device.start();
    detector.deaf = true;
    detector.raw('BOOT v1.2\r\n');
    await until(() => loop.state() === 'unknown' && device.health().state === 'lost', { what: 'the silence' });
    expect(device.health().detail).toContain('BOOT v1.2');
    detector.deaf = false;
    await until(() => loop.state() === 'off' && device.health().state === 'ok', { what: 'the recovery' });
  });

  it('says which input the detector never speaks of', async () => {
    const detector = await board({ everyMs: 100 });
    detector.inputs.set('L1', '0');
    const device = make(detector.path);
    device.input({ device: 'd', line: 'L1' });
    const wrong = device.input({ device: 'd', line: 'LOOP' });
    await device.start();
    expect(wrong.state()).toBe('unknown');
    expect(device.health().state).toBe('ok');
    expect(device.health().detail).toContain('nothing about LOOP');
  });

  it('starts without the adapter and finds it later', async () => {
    const detector = await board({ everyMs: 100 });
    detector.inputs.set('L1', '0');
    await detector.unplug();
    const device = make(detector.path);
    const loop = device.input({ device: 'd', line: 'L1' });
    await device.start();
    expect(device.health().state).toBe('lost');
    expect(device.health().detail).toContain(detector.path);
    expect(loop.state()).toBe('unknown');
    await detector.plug();
    await until(() => loop.state() === 'off' && device.health().state === 'ok', { timeoutMs: 10_000, what: 'the adapter' });
  });

  it('is asked: noise, half lines and wrong sums never make a level', async () => {
    const sum = (line: string): string => withChecksum(line, 'xor');
    const detector = await board({ question: 'STATUS?', sum });
    detector.inputs.set('L1', '0');
    const device = make(detector.path, { checksum: 'xor', poll: { send: 'STATUS?', everyMs: 30 } });
    const loop = device.input({ device: 'd', line: 'L1' });
    await device.start();
    expect(loop.state()).toBe('off');
    const seen: SignalState[] = [];
    loop.onChange((change) => seen.push(change.state));
    const random = fc.sample(fc.uint8Array({ minLength: 1, maxLength: 40 }), { numRuns: 60, seed: 7 });
    for (const noise of random) {
      detector.raw(noise);
      detector.raw('\r\nL1=1\r\nL1=1*70\r\nL1=');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    detector.raw('\r\n');
    const asked = detector.heard.length;
    await until(() => detector.heard.length > asked + 3 && loop.state() === 'off', { what: 'the quiet line' });
    expect(seen).not.toContain('on');
    detector.inputs.set('L1', '1');
    await until(() => loop.state() === 'on', { what: 'the loop' });
    expect(detector.heard.every((line) => line === sum('STATUS?'))).toBe(true);
  });

  it('moves relays with texts, read back by the answers; a relay that moved by itself is put back', async () => {
    const relays = await board({ everyMs: 100 });
    relays.inputs.set('L1', '0');
    const device = make(relays.path, { outputs: [{ name: 'open', on: 'R1=1', off: 'R1=0', answer: { on: 'R1=1', off: 'R1=0' } }] });
    device.input({ device: 'd', line: 'L1' });
    const open = device.output({ device: 'd', line: 'open' });
    await device.start();
    expect(relays.relayEvents).toEqual([]);
    await open.pulse(150);
    expect(open.state()).toBe('on');
    await until(() => open.state() === 'off', { what: 'the end of the pulse' });
    expect(relays.relayEvents).toEqual([{ name: 'R1', on: true }, { name: 'R1', on: false }]);
    relays.say('R1=1');
    await until(() => relays.relayEvents.length === 3, { what: 'the correction' });
    expect(relays.relayEvents[2]).toEqual({ name: 'R1', on: false });
  });

  it('lets a board that can end a pulse do it, in its own unit of time', async () => {
    const relays = await board({ everyMs: 100 });
    const device = make(relays.path, { outputs: [{ name: 'open', on: 'R1=1', off: 'R1=0', pulse: 'R1P{ds}' }] });
    const open = device.output({ device: 'd', line: 'open' });
    expect(open.timesPulses).toBe(true);
    await device.start();
    await open.pulse(420);
    await until(() => relays.heard.includes('R1P5'), { what: 'the order' });
  });

  it('tells a relay again what it should be when the cable is back', async () => {
    const relays = await board({ everyMs: 100 });
    relays.inputs.set('L1', '1');
    const device = make(relays.path, { outputs: [{ name: 'light', on: 'R2=1', off: 'R2=0' }, { name: 'open', on: 'R1=1', off: 'R1=0' }] });
    const loop = device.input({ device: 'd', line: 'L1' });
    const light = device.output({ device: 'd', line: 'light' });
    const open = device.output({ device: 'd', line: 'open' });
    await device.start();
    await light.hold();
    await relays.unplug();
    await until(() => loop.state() === 'unknown' && device.health().state === 'lost', { what: 'the loss' });
    expect(light.state()).toBe('unknown');
    await expect(open.pulse(300)).rejects.toThrow('DEVICE_LOST');
    relays.relays.clear();
    relays.relayEvents.splice(0);
    await relays.plug();
    await until(() => loop.state() === 'on', { timeoutMs: 10_000, what: 'the recovery' });
    await until(() => relays.relays.get('R2') === true, { what: 'the light' });
    // Where the order met the loss on its way, its contact is told once more to be off; never on.
    expect(relays.relayEvents.some(({ name, on }) => name === 'R1' && on)).toBe(false);
  });

  it('hands out raw traffic, also what makes no sense', async () => {
    const detector = await board({ everyMs: 100 });
    detector.inputs.set('L1', '0');
    const device = make(detector.path);
    device.input({ device: 'd', line: 'L1' });
    const received: Traffic[] = [];
    device.onTraffic?.((traffic) => received.push(traffic));
    await device.start();
    detector.raw(Uint8Array.from([0xff, 0x00, 0xfe]));
    await until(() => received.some(({ bytes: got }) => got.includes(0xfe)), { what: 'the noise' });
    expect(received.every(({ direction }) => direction === 'received')).toBe(true);
  });

  it('refuses lines that cannot be, before anything starts', () => {
    const device = make('/dev/none');
    expect(() => device.input({ device: 'd', line: 3 })).toThrow('DEVICE_LINE_INVALID');
    expect(() => device.input({ device: 'd', line: 'L1', unit: 1 })).toThrow('DEVICE_LINE_INVALID');
    expect(() => device.output({ device: 'd', line: 'R1' })).toThrow('DEVICE_LINE_INVALID');
  });
});

for (const { name, options, more } of [
  { name: 'sends by itself', options: { everyMs: 80 }, more: {} },
  { name: 'is asked', options: { question: 'STATUS?' }, more: { poll: { send: 'STATUS?', everyMs: 20 } } },
] as const) {
  deviceContract(`Lines of text (${name})`, async () => {
    const board = new LineBoard(options);
    board.inputs.set('L1', '0');
    board.inputs.set('L2', '1');
    board.relays.set('R1', false);
    await board.plug();
    return {
      device: createDevice(
        {
          id: 'd',
          driver: 'line',
          path: board.path,
          baudRate: 115_200,
          parity: 'none',
          stopBits: 1,
          checksum: 'none',
          lineEnd: 'crlf',
          silenceMs: 500,
          timeoutMs: 100,
          inputs: [],
          outputs: [{ name: 'open', on: 'R1=1', off: 'R1=0', answer: { on: 'R1=1', off: 'R1=0' } }],
          ...more,
        },
        systemClock,
        silentLog,
      ),
      input: { device: 'd', line: 'L1' },
      output: { device: 'd', line: 'open' },
      stranger: { device: 'd', line: 'R9' },
      drive: (active) => board.set('L1', active ? '1' : '0'),
      low: { ref: { device: 'd', line: 'L2', activeLow: true }, drive: (high) => board.set('L2', high ? '1' : '0') },
      driven: () => [false, ...board.relayEvents.map(({ on }) => on)],
      energised: () => board.relays.get('R1') === true,
      pass: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
      lose: () => {
        board.deaf = true;
      },
      restore: () => {
        board.deaf = false;
      },
      close: () => board.close(),
    };
  });
}
