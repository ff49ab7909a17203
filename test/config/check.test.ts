import { readFileSync, readdirSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { checkConfig, configHints, formatFaults, formatHints } from '../../src/config/index.js';

const EXAMPLES = new URL('../../src/config/examples/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, EXAMPLES), 'utf8');
const SIMULATION = read('simulation.yaml');
const PI = read('raspberry-pi-one-lane.yaml');
const MODBUS = read('two-lanes-modbus.yaml');
const DETECTORS = read('detectors-serial.yaml');

/** The text with one piece replaced; fails where the piece is not there. */
function broken(text: string, ...changes: readonly (readonly [from: string | RegExp, to: string])[]): string {
  return changes.reduce((now, [from, to]) => {
    const next = now.replace(from, to);
    expect(next).not.toBe(now);
    return next;
  }, text);
}

describe('the examples', () => {
  it.each(readdirSync(EXAMPLES))('%s is right', (name) => {
    expect(formatFaults(checkConfig(read(name)), name)).toBe(`${name}: no faults`);
  });

  it('there is one for each way to start', () => {
    expect(readdirSync(EXAMPLES).sort()).toEqual(['detectors-serial.yaml', 'raspberry-pi-one-lane.yaml', 'simulation.yaml', 'two-lanes-modbus.yaml']);
  });
});

describe('a broken file', () => {
  it('lists every fault at once, in the order of the file, readable and with an example', () => {
    const text = `site: {id: Laurel, name: 月桂社区, timezone: Asia/Peking}
gate:
  id: east-gate
  name: East gate
  dataDirectory: /var/lib/laurel-gate
devices:
  - {id: gpio, driver: gpio}
  - {id: bus, driver: modbuss}
lanes:
  - id: entry
    name: In
    direction: inwards
    camera: front
    barrier:
      closing: gateway-closes
      open: {device: gpio, line: entry.open}
      pulsMs: 300
      deadTimeMs: 50000
    inputs:
      approach: {device: gpio, line: 22}
      closing: {device: gpio, line: 22}
uplink:
  broker:
    url: mqtts://gate:hunter2@platform.example
    password: hunter2
access:
  households:
    - {id: a, plates: [京A1234, 京A12345]}
  blocked:
    - {plate: 京a·12345, reason: unpaid}
`;
    expect(formatFaults(checkConfig(text), 'gate.yaml')).toBe(`gate.yaml: 15 faults

gate.yaml:1:12  site.id
  found     "Laurel"
  expected  lower-case letters, digits and hyphens, at most 32, e.g. east-gate
  example   id: laurel-gardens

gate.yaml:1:42  site.timezone
  found     "Asia/Peking"
  expected  an IANA time zone
  example   timezone: Asia/Shanghai

gate.yaml:8:23  devices[1].driver
  found     "modbuss"
  expected  one of gpio, modbus, line, sim
  example   driver: gpio

gate.yaml:12:16  lanes[0].direction
  found     "inwards"
  expected  one of entry, exit
  example   direction: entry

gate.yaml:13:13  lanes[0].camera
  found     "front"
  expected  the id of an entry under cameras: there is none yet

gate.yaml:14:5  lanes[0].barrier.close
  found     nothing, although closing is gateway-closes
  expected  the output of the CLOSE contact, or closing: barrier-closes where the board lowers the boom by itself, or drive: hold-to-open where it falls when OPEN is released
  example   close: {device: relays, line: 1}

gate.yaml:16:34  lanes[0].barrier.open.line
  found     "entry.open"
  expected  the offset of the line on its GPIO chip, a whole number
  example   line: 17

gate.yaml:17:7  lanes[0].barrier.pulsMs
  found     an unknown key
  expected  one of closing, drive, open, close, stop, greenLight, redLight, pulseMs, deadTimeMs, openTimeMs, closeTimeMs, learnRunTimes, runWatchdogMs, closeDelayMs, autoCloseMs, antiTailgate, heldOpen, failState here
  perhaps   pulseMs
  example   pulseMs: 400

gate.yaml:18:19  lanes[0].barrier.deadTimeMs
  found     50000
  expected  whole number, 0 to 5000
  example   deadTimeMs: 500

gate.yaml:21:7  lanes[0].inputs.closing
  found     a line already used as lanes[0].inputs.approach
  expected  a line of its own; only fire and stop may serve several lanes

gate.yaml:23:3  uplink.broker.username
  found     nothing, although there is a password
  expected  both password and username, or neither
  example   username: gate-east

gate.yaml:24:10  uplink.broker.url
  found     "mqtts://***@platform.example"
  expected  mqtts://platform.example:8883 without user or password; those go in their own fields
  example   url: mqtts://platform.example:8883

gate.yaml:25:15  uplink.broker.password
  found     a value written here (not shown)
  expected  secret by reference: {file: PATH} or {env: NAME}; a secret is never written in this file: put it into a file of its own, or into the environment, and name that here
  example   password: {file: secrets/password}

gate.yaml:28:24  access.households[0].plates[0]
  found     "京A1234"
  expected  a plate: "京A1234" has 6 characters; a plate has 7 characters, with new energy or 应急 8, e.g. 京A12345
  example   - 京A12345

gate.yaml:30:15  access.blocked[0].plate
  found     京A12345, which is also access.households[0].plates[1]
  expected  a plate either under households or under blocked`);
  });

  it('says what is missing in an empty one', () => {
    for (const text of ['', '# nothing yet\n', 'null']) {
      expect(checkConfig(text)).toEqual([
        expect.objectContaining({ path: '', found: 'an empty file', expected: 'sections: version, site, gate, devices, cameras, lanes, access, vision, uplink, web, supervisor, retention' }),
      ]);
    }
    expect(checkConfig('- a\n- b')).toMatchObject([{ found: 'a list of 2' }]);
    expect(checkConfig('{}').map(({ path }) => path).sort()).toEqual(['devices', 'gate', 'lanes', 'site']);
  });

  it.each<[string, string, number, string, string?]>([
    ['a tab', 'site:\n\tid: a\n', 2, 'a tab at the start of a line'],
    ['an open bracket', 'site: {id: a\n', 2, 'a line indented differently from its neighbours, or a bracket left open before it'],
    ['an open quote', 'site:\n  id: "a\n', 3, 'a quote or bracket left open before this place, or a colon missing'],
    ['two values on one line', 'site: id: a\n', 1, 'two values on one line'],
    ['a reserved character', 'site:\n  name: @home\n', 2, 'text that starts with a character YAML keeps for itself'],
    ['an alias without an anchor', 'site: *nowhere\n', 1, 'an alias (*) for which there is no anchor (&) above'],
    ['a second document', 'site: 1\n---\nsite: 2\n', 2, 'a second document after ---'],
  ])('%s is told with its line', (_what, text, line, found) => {
    expect(checkConfig(text)).toContainEqual(expect.objectContaining({ path: '', line, found }));
  });

  it('a key written twice is told together with the other faults', () => {
    const faults = checkConfig(broken(SIMULATION, ['  port: 8080', '  port: 8080\n  port: 99999']));
    expect(faults.map(({ found }) => found)).toContain('a key a second time in one section');
    expect(faults.length).toBeGreaterThanOrEqual(1);
  });

  it('aliases that multiply do not fill the memory', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]', ...'bcdefgh'.split('').map((name, at) => `${name}: &${name} [${Array(9).fill(`*${'abcdefg'[at] ?? 'a'}`).join(', ')}]`)].join('\n');
    expect(checkConfig(bomb)).toMatchObject([{ found: 'aliases (*) that multiply' }]);
  });
});

describe('what no single key shows', () => {
  it.each<[string, string, readonly (readonly [string | RegExp, string])[], string, string]>([
    ['two devices of one name', MODBUS, [['devices:\n', 'devices:\n  - {id: bus, driver: gpio}\n']], 'devices[1].id', 'which devices[0] has'],
    ['two cameras of one name', MODBUS, [['id: exit-camera', 'id: entry-camera']], 'cameras[1].id', 'which cameras[0] has'],
    ['two lanes of one name', MODBUS, [['- id: exit\n', '- id: entry\n']], 'lanes[1].id', 'which lanes[0] has'],
    ['two households of one name', MODBUS, [['id: shop-3', 'id: b1-0101']], 'access.households[1].id', 'which access.households[0] has'],
    ['a lane that names no camera of ours', MODBUS, [['camera: exit-camera', 'camera: exit-cam']], 'lanes[1].camera', '"exit-cam"'],
    ['two lanes with one camera', MODBUS, [['camera: exit-camera', 'camera: entry-camera']], 'lanes[1].camera', 'which lanes[0] uses'],
    ['a line of no device', PI, [['approach: {device: gpio', 'approach: {device: gpoi']], 'lanes[0].inputs.approach.device', '"gpoi"'],
    ['a boom nobody lowers', MODBUS, [['      close: {device: bus, unit: 1, line: 1}\n', '']], 'lanes[0].barrier.close', 'nothing, although closing is gateway-closes'],
    ['one relay for two lanes', MODBUS, [['open: {device: bus, unit: 1, line: 4}', 'open: {device: bus, unit: 1, line: 0}']], 'lanes[1].barrier.open', 'already used as lanes[0].barrier.open'],
    ['open and close on one relay', MODBUS, [['close: {device: bus, unit: 1, line: 1}', 'close: {device: bus, unit: 1, line: 0}']], 'lanes[0].barrier.close', 'already used as lanes[0].barrier.open'],
    ['an input read from an output', MODBUS, [['approach: {device: bus, unit: 1, line: 0}', 'approach: {device: bus, unit: 1, line: 0, table: coil}']], 'lanes[0].inputs.approach', 'already used as lanes[0].barrier.open'],
    ['one loop for two lanes', MODBUS, [['closing: {device: bus, unit: 12, line: loop}', 'closing: {device: bus, unit: 11, line: loop}']], 'lanes[1].inputs.closing', 'already used as lanes[0].inputs.closing'],
    ['one contact read in two ways', MODBUS, [[/(exit-camera[\s\S]*fire: \{device: bus, unit: 1, line: 7)\}/u, '$1, activeLow: true}']], 'lanes[1].inputs.fire', 'but with another activeLow'],
    ['a Modbus line without a unit', MODBUS, [['beam: {device: bus, unit: 1, line: 1}', 'beam: {device: bus, line: 1}']], 'lanes[0].inputs.beam.unit', 'nothing'],
    ['a unit that is not on the bus', MODBUS, [['beam: {device: bus, unit: 1, line: 1}', 'beam: {device: bus, unit: 3, line: 1}']], 'lanes[0].inputs.beam.unit', '3'],
    ['a named Modbus line', MODBUS, [['beam: {device: bus, unit: 1, line: 1}', 'beam: {device: bus, unit: 1, line: beam}']], 'lanes[0].inputs.beam.line', '"beam"'],
    ['an output among the inputs', MODBUS, [['open: {device: bus, unit: 1, line: 0}', 'open: {device: bus, unit: 1, line: 0, table: discrete}']], 'lanes[0].barrier.open.table', 'discrete'],
    ['a chip on a bus', MODBUS, [['beam: {device: bus, unit: 1, line: 1}', 'beam: {device: bus, unit: 1, line: 1, chip: x}']], 'lanes[0].inputs.beam.chip', 'chip on a line of driver modbus'],
    ['a bit of a coil', MODBUS, [['beam: {device: bus, unit: 1, line: 1}', 'beam: {device: bus, unit: 1, line: 1, bit: 3}']], 'lanes[0].inputs.beam.bit', 'bit without a register'],
    ['a register of a relay board', MODBUS, [['beam: {device: bus, unit: 1, line: 1}', 'beam: {device: bus, unit: 1, line: 1, table: input, bit: 3}']], 'lanes[0].inputs.beam.table', 'input on a waveshare-relay'],
    ['a relay the board does not have', MODBUS, [['open: {device: bus, unit: 1, line: 0}', 'open: {device: bus, unit: 1, line: 32}']], 'lanes[0].barrier.open.line', '32'],
    ['a relay of a loop detector', MODBUS, [['open: {device: bus, unit: 1, line: 0}', 'open: {device: bus, unit: 11, line: 8}']], 'lanes[0].barrier.open.unit', 'a procon-ld120'],
    ['a pull resistor on a bus', MODBUS, [['beam: {device: bus, unit: 1, line: 1}', 'beam: {device: bus, unit: 1, line: 1, pull: up}']], 'lanes[0].inputs.beam.pull', 'pull on a line of driver modbus'],
    ['a register with neither bit nor values', DETECTORS, [[', equals: [2]', '']], 'lanes[0].inputs.approach.equals', 'neither equals nor bit'],
    ['a register with bit and values', DETECTORS, [[', equals: [2]', ', equals: [2], bit: 1']], 'lanes[0].inputs.approach.equals', 'equals and bit'],
    ['a value that means on and fault', DETECTORS, [['faultValues: [255]', 'faultValues: [2]']], 'lanes[0].inputs.approach.faultValues', '2, which equals has too'],
    ['an input that is written', DETECTORS, [[', equals: [2]', ', equals: [2], write: {on: 1, off: 0}']], 'lanes[0].inputs.approach.write', 'write on an input'],
    ['an output in an input register', DETECTORS, [['table: holding, line: 1, write', 'table: input, line: 1, write']], 'lanes[0].barrier.open.table', 'input'],
    ['an output that is compared', DETECTORS, [['write: {on: 0x0100, off: 0x0200, readOn: 1, readOff: 0}', 'write: {on: 1, off: 0}, equals: [1]']], 'lanes[0].barrier.open.equals', 'equals on an output'],
    ['an output that is on and off at one value', DETECTORS, [['off: 0x0200, readOn: 1, readOff: 0', 'off: 0x0100']], 'lanes[0].barrier.open.write', 'one value for on and off'],
    ['a register set to two values', DETECTORS, [['setup: [{address: 8, value: 10}]', 'setup: [{address: 8, value: 10}, {address: 8, value: 20}]']], 'devices[0].units[0].setup[1].address', '8 a second time'],
    ['a number on a line of text', DETECTORS, [['closing: {device: detector, line: L1}', 'closing: {device: detector, line: 1}']], 'lanes[0].inputs.closing.line', '1'],
    ['a unit on a line of text', DETECTORS, [['closing: {device: detector, line: L1}', 'closing: {device: detector, line: L1, unit: 1}']], 'lanes[0].inputs.closing.unit', 'unit on a line of driver line'],
    ['an output without texts', DETECTORS, [['device: detector, line: lamp-green', 'device: detector, line: lamp-blue']], 'lanes[0].barrier.greenLight.line', '"lamp-blue"'],
    ['a name twice', DETECTORS, [['- name: lamp-red', '- name: lamp-green']], 'devices[1].outputs[1].name', '"lamp-green" a second time'],
    ['one text for on and off', DETECTORS, [['off: "LAMP G0"', 'off: "LAMP G1"']], 'devices[1].outputs[0].off', 'the text of on'],
    ['one answer for on and off', DETECTORS, [['answer: {on: "G=1", off: "G=0"}', 'answer: {on: "G=1", off: "G=1"}']], 'devices[1].outputs[0].answer.off', 'the answer of on'],
    ['a pulse without its time', DETECTORS, [['off: "LAMP G0"', 'off: "LAMP G0"\n        pulse: "LAMP GP"']], 'devices[1].outputs[0].pulse', '"LAMP GP"'],
    ['an input that is never off', DETECTORS, [['        off: ["B1=CLEAR"]\n', '']], 'devices[1].inputs[0].off', 'nothing'],
    ['a text with two meanings', DETECTORS, [['off: ["B1=CLEAR"]', 'off: ["B1=CUT"]']], 'devices[1].inputs[0].off', '"B1=CUT" a second time'],
    ['silence before the next question', DETECTORS, [['silenceMs: 2000', 'silenceMs: 2000\n    poll: {send: "S?", everyMs: 1500}']], 'devices[1].silenceMs', '2000'],
    ['a bus and a line of text on one port', DETECTORS, [['/dev/serial/by-id/usb-Arduino__www.arduino.cc__0043_95036303235351F0A1B2-if00', '/dev/serial/by-id/usb-1a86_USB_Serial-if00-port0']], 'devices[1].path', 'usb-1a86'],
    ['two boards of one address', MODBUS, [['{unit: 12, profile', '{unit: 11, profile']], 'devices[0].units[2].unit', '11 a second time'],
    ['two buses on one port', MODBUS, [['cameras:\n', '  - id: more\n    driver: modbus\n    path: /dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0\n    units: [{unit: 1}]\ncameras:\n']], 'devices[1].path', 'usb-FTDI'],
    ['a unit on a GPIO line', PI, [['line: 17, activeLow: true}', 'line: 17, unit: 1}']], 'lanes[0].barrier.open.unit', 'unit on a line of driver gpio'],
    ['a pull on an output', PI, [['line: 17, activeLow: true}', 'line: 17, activeLow: true, pull: up}']], 'lanes[0].barrier.open.pull', 'pull on an output'],
    ['a pull through sysfs', PI, [['driver: gpio', 'driver: gpio\n    interface: sysfs']], 'lanes[0].inputs.approach.pull', 'interface sysfs, which cannot set it'],
    ['a pull that is none', PI, [['line: 22, activeLow: true, pull: up}', 'line: 22, activeLow: true, pull: strong}']], 'lanes[0].inputs.approach.pull', '"strong"'],
    ['a number in the simulation', SIMULATION, [['line: entry.open}', 'line: 17}']], 'lanes[0].barrier.open.line', '17'],
    ['a simulated camera without a world', SIMULATION, [['device: world, view: entry', 'device: earth, view: entry']], 'cameras[0].source.device', '"earth"'],
    ['a simulated camera that looks nowhere', SIMULATION, [['view: exit', 'view: out']], 'cameras[1].source.view', '"out"'],
    ['a password without a name', PI, [['      username: gate\n', '']], 'cameras[0].source.username', 'nothing, although there is a password'],
    ['an area without area', PI, [['[[0.05, 0.35], [0.95, 0.35], [0.95, 1], [0.05, 1]]', '[[0, 0], [0.5, 0.5], [1, 1]]']], 'cameras[0].zone', 'corners that enclose no area'],
    ['an unknown time zone', PI, [['Asia/Shanghai', 'Moon/Tranquility']], 'site.timezone', '"Moon/Tranquility"'],
    ['hours of no length', PI, [['to: "08:30"', 'to: "19:00"']], 'access.households[1].hours', 'from and to both "19:00"'],
    ['a pass that ends before it starts', PI, [['until: 2026-05-01T18:00:00+08:00', 'until: 2026-05-01T07:00:00+08:00']], 'access.visitors[0].until', 'which is not after from'],
    ['a contract that ends before it starts', PI, [['validUntil:', 'validFrom: 2027-01-01T00:00:00+08:00\n      validUntil:']], 'access.households[1].validUntil', 'which is not after validFrom'],
    ['a plate that is none', PI, [['沪C34567', '沪C3456!']], 'access.visitors[0].plate', '"沪C3456!"'],
    ['a plate both blocked and resident', PI, [['冀D45678', '京B23456']], 'access.blocked[0].plate', 'also access.households[1].plates[0]'],
    ['a plate both blocked and emergency', PI, [['京E56789', '冀D45678']], 'access.emergency[0].plate', 'also access.blocked[0].plate'],
    ['a plate of two households', PI, [['plates: [京B23456]', 'plates: [京a-12345]']], 'access.households[1].plates[0]', 'also access.households[0].plates[0]'],
    ['a list for a lane that is not there', MODBUS, [['lanes: [entry, exit]', 'lanes: [entry, side]']], 'access.households[1].lanes[1]', '"side"'],
    ['a certificate without a key', MODBUS, [[/ {4}key: .*\n/u, '']], 'uplink.broker.key', 'although there is a certificate'],
    ['a certificate without encryption', MODBUS, [['mqtts://', 'mqtt://']], 'uplink.broker.certificate', 'for a line without encryption'],
  ])('%s', (_what, text, changes, path, found) => {
    const faults = checkConfig(broken(text, ...changes));
    const fault = faults.find((one) => one.path === path);
    expect(fault, formatFaults(faults, 'gate.yaml')).toBeDefined();
    expect(fault?.found).toContain(found);
    expect(fault?.expected).not.toBe('');
    expect(fault?.line).toBeGreaterThan(0);
  });

  it('one fire contact for all lanes, several passes for one visitor and an LD120 loop are no faults', () => {
    const pass = '    - plate: 沪C34567\n      from: 2026-06-01T08:00:00+08:00\n      until: 2026-06-01T18:00:00+08:00\n';
    expect(checkConfig(broken(PI, ['  visitors:\n', `  visitors:\n${pass}`]))).toEqual([]);
    expect(MODBUS.match(/fire: \{device: bus, unit: 1, line: 7\}/gu)).toHaveLength(2);
    expect(checkConfig(MODBUS)).toEqual([]);
  });
});

describe('hints', () => {
  it('a port by a name that may go to another adapter is no fault, but named', () => {
    const text = broken(MODBUS, [/path: .*\n/u, 'path: /dev/ttyUSB0\n']);
    expect(checkConfig(text)).toEqual([]);
    expect(configHints(text)).toMatchObject([{ path: 'devices[0].path', found: '/dev/ttyUSB0' }]);
    expect(formatHints(configHints(text), 'gate.yaml')).toContain('ls /dev/serial/by-id');
    expect(configHints(MODBUS)).toEqual([]);
    expect(formatHints([], 'gate.yaml')).toBe('');
  });
});

describe('what a technician mistypes', () => {
  it.each([
    ['pulseMs: 400', 'pulse_ms: 400', 'pulseMs'],
    ['pulseMs: 400', 'puls: 400', 'pulseMs'],
    ['openTimeMs: 3000', 'opentime: 3000', 'openTimeMs'],
    ['camera: entry-camera', 'cammera: entry-camera', 'camera'],
    ['uplink:', 'upplink:', 'uplink'],
    ['householdsX', '', ''],
  ])('%s written as %s: perhaps %s', (right, wrong, nearest) => {
    if (wrong === '') {
      expect(checkConfig(PI.replace('  households:', '  qwertyuiop: 1\n  households:'))).toMatchObject([{ path: 'access.qwertyuiop', nearest: null, example: null }]);
      return;
    }
    expect(checkConfig(broken(PI, [right, wrong]))).toContainEqual(expect.objectContaining({ found: 'an unknown key', nearest }));
  });

  it.each<[string, readonly [string | RegExp, string], string, string, string]>([
    ['a word for a number', ['pulseMs: 400', 'pulseMs: long'], 'lanes[0].barrier.pulseMs', '"long"', 'whole number, 100 to 2000'],
    ['a broken number', ['framesPerSecond: 8', 'framesPerSecond: 8,5'], 'cameras[0].framesPerSecond', '"8,5"', 'number, 1 to 30'],
    ['the former name of a driver', ['driver: gpio', 'driver: onoff'], 'devices[0].driver', '"onoff"', 'gpio: GPIO lines have this driver now; with interface: sysfs'],
    ['yes for true', ['activeLow: true}', 'activeLow: yes}'], 'lanes[0].barrier.open.activeLow', '"yes"', 'true or false'],
    ['nothing after the colon', ['name: East gate, in', 'name:'], 'lanes[0].name', 'nothing after the colon', 'text, at most 40 characters'],
    ['empty text', ['name: East gate, in', 'name: ""'], 'lanes[0].name', '""', 'some text'],
    ['an empty list', ['plates: [京B23456]', 'plates: []'], 'access.households[1].plates', 'an empty list', 'list (plate), at least 1'],
    ['a section for a list', ['plates: [京B23456]', 'plates: {a: 京B23456}'], 'access.households[1].plates', 'a section with a', 'list (plate), at least 1'],
    ['a time without its offset', ['2026-05-01T08:00:00+08:00', '2026-05-01 08:00'], 'access.visitors[0].from', '"2026-05-01 08:00"', 'time with its offset'],
    ['an hour without its zero', ['to: "08:30"', 'to: "8:30"'], 'access.households[1].hours.to', '"8:30"', 'HH:MM'],
    ['an unknown policy', ['policy: ask', 'policy: maybe'], 'access.outside.policy', '"maybe"', 'one of refuse, admit-while-space, admit-for-hours, ask'],
    ['a policy without its hours', ['policy: ask', 'policy: admit-for-hours'], 'access.outside.hours', 'nothing', 'number, 0.25 to 72: how long they may stay'],
    ['a broker that is no address', [/ {2}broker:\n[\s\S]*?\n\n/u, '  broker: platform\n\n'], 'uplink.broker', '"platform"', 'embedded, or section'],
    ['two corners of an area', ['[[0.05, 0.35], [0.95, 0.35], [0.95, 1], [0.05, 1]]', '[[0, 0], [1, 1]]'], 'cameras[0].zone', 'a list of 2', 'list of at least three corners [x, y], 0 to 1 from the top left'],
    ['a corner outside', ['[0.95, 1]', '[0.95, 1.5]'], 'cameras[0].zone[2][1]', '1.5', 'number, 0 to 1'],
    ['a secret that refers to two places', ['{file: secrets/platform}', '{file: a, env: B}'], 'uplink.broker.password', 'a section', 'secret by reference'],
  ])('%s', (_what, change, path, found, expected) => {
    const faults = checkConfig(broken(PI, change));
    const fault = faults.find((one) => one.path === path);
    expect(fault?.found, formatFaults(faults, 'gate.yaml')).toBe(found);
    expect(fault?.expected).toContain(expected);
  });
});

describe('laws of checking', () => {
  const secret = 'c0rrect-h0rse';

  it('a secret written into the file is never repeated, wherever it stands', () => {
    const texts = [
      broken(PI, ['{file: secrets/platform}', secret]),
      broken(PI, ['{file: secrets/platform}', `{value: ${secret}}`]),
      broken(PI, ['{file: secrets/platform}', `{env: "${secret}"}`]),
      broken(PI, ['{file: secrets/platform}', `[${secret}]`]),
      broken(PI, ['password: {file: secrets/platform}', `pasword: ${secret}`]),
      broken(PI, ['mqtts://platform', `mqtts://gate:${secret}@platform`]),
      broken(PI, ['rtsp://192', `rtsp://gate:${secret}@/x@192`]),
      broken(PI, ['{file: secrets/platform}', `"${secret}`]),
      broken(PI, ['{file: secrets/platform}', `@${secret}`]),
      broken(PI, ['{file: secrets/platform}', `*${secret}`]),
    ];
    for (const text of texts) {
      const faults = checkConfig(text);
      expect(faults.length).toBeGreaterThan(0);
      expect(JSON.stringify(faults)).not.toContain(secret);
    }
  });

  it('whatever a value is replaced by, the check ends with faults or none, never with an exception, and says where', () => {
    const tree: unknown = parse(MODBUS);
    const values = fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), fc.double(), fc.string(), fc.constant([]), fc.constant({}), fc.array(fc.string(), { maxLength: 2 }), fc.dictionary(fc.string(), fc.string(), { maxKeys: 2 }));
    const paths: (string | number)[][] = [];
    const collect = (node: unknown, path: (string | number)[]): void => {
      paths.push(path);
      if (Array.isArray(node)) node.forEach((inner, at) => collect(inner, [...path, at]));
      else if (typeof node === 'object' && node !== null) for (const [key, inner] of Object.entries(node)) collect(inner, [...path, key]);
    };
    collect(tree, []);
    const replaced = (node: unknown, path: readonly (string | number)[], value: unknown): unknown => {
      const [step, ...rest] = path;
      if (step === undefined) return value;
      if (Array.isArray(node)) return node.map((inner: unknown, at) => (at === step ? replaced(inner, rest, value) : inner));
      return Object.fromEntries(Object.entries(node ?? {}).map(([key, inner]: [string, unknown]) => [key, key === step ? replaced(inner, rest, value) : inner]));
    };
    fc.assert(
      fc.property(fc.constantFrom(...paths), values, (path, value) => {
        for (const fault of checkConfig(stringify(replaced(tree, path, value)))) {
          expect(fault.expected).not.toBe('');
          expect(fault.found).not.toBe('');
          if (fault.path !== '') expect(fault.line).toBeGreaterThan(0);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('a boom that falls when its contact is released may not be left to fall by a dead program', () => {
    const held = broken(MODBUS, ['closing: gateway-closes', 'drive: hold-to-open\n      closing: gateway-closes'], [/\n\s+close: \{device: bus, unit: 1, line: 1\}/u, '']);
    expect(checkConfig(held)).toEqual([expect.objectContaining({ path: 'lanes[0].barrier.failState.softwareDeath', example: 'failState: {softwareDeath: open}' })]);
    expect(checkConfig(held.replace('drive: hold-to-open', 'failState: {softwareDeath: open}\n      drive: hold-to-open'))).toEqual([]);
  });
});
