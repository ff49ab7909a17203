import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/index.js';
import { BoardOnBus } from '../support/relay-board.js';
import { TerminalProgram } from '../support/terminal.js';
import { until } from '../support/until.js';
import { runCli } from './run-cli.js';

let folder: string;
let path: string;
let board: BoardOnBus;
const programs: TerminalProgram[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'laurel-commission-'));
  path = join(folder, 'gate.yaml');
  board = new BoardOnBus();
  await board.start();
});

afterEach(async () => {
  for (const program of programs.splice(0)) {
    if (program.child.exitCode === null) program.child.kill('SIGKILL');
    await program.ended;
  }
  await board.stop();
  await rm(folder, { recursive: true, force: true });
});

function start(environment: Readonly<Record<string, string>> = {}): TerminalProgram {
  const program = TerminalProgram.gatectl(['commission', '--config', path], environment);
  programs.push(program);
  return program;
}

/** Through the questions up to the first loop. */
async function upToTheLoops(terminal: TerminalProgram): Promise<void> {
  await terminal.answer('Id of the estate', '');
  await terminal.answer('Name of the estate', '');
  await terminal.answer('Id of this box', '');
  await terminal.answer('Name of this gate', '');
  await terminal.answer('Folder for everything', join(folder, 'data'));
  await terminal.answer('Id of the lane', 'entry');
  await terminal.answer('Name of the lane', 'East gate, in');
  await terminal.answer(/vehicles pass\?[\s\S]*Number/u, '1');
  await terminal.answer(/lowers the boom\?[\s\S]*Number/u, '1');
  await terminal.answer(/OPEN contact want\?[\s\S]*Number/u, '1');
  await terminal.answer(/wired to\?[\s\S]*Number/u, 'other');
  await terminal.answer('Path of the serial port', board.path);
  await terminal.answer('Addresses to look for', '1-2');
  await terminal.answer('Speeds to try', '9600');
  await terminal.sees('unit 1:');
  await terminal.answer(/What is unit 1\?[\s\S]*Number/u, 'waveshare-relay');
  await terminal.answer('wired to something else', 'n');
}

/** A car drives on and off again, or a hand presses: one input changes and changes back. */
async function teach(terminal: TerminalProgram, words: string | RegExp, input: number, active = true): Promise<void> {
  await terminal.answer('has to be at rest', '');
  await terminal.sees(words);
  board.inputs[input] = active;
  await terminal.sees('Found:');
  await terminal.sees('let it go again');
  board.inputs[input] = !active;
}

describe('gatectl commission', () => {
  it('finds the board, the loops and the relays by itself, and writes a configuration that is right', async () => {
    // A dry contact that is closed at rest: its 0 means pressed.
    board.inputs[3] = true;
    const terminal = start();
    await upToTheLoops(terminal);
    await teach(terminal, 'APPROACH loop', 2);
    await teach(terminal, 'CLOSING loop', 5);
    await terminal.answer('light beam wired', 'n');
    await terminal.answer('open limit wired', 'n');
    await terminal.answer('closed limit wired', 'n');
    await terminal.answer('fire alarm wired', 'n');
    await terminal.answer('STOP wired', 'n');
    await terminal.answer('guard button wired', 'y');
    await teach(terminal, "guard's button", 3, false);

    await terminal.sees('THE BOOM MAY MOVE');
    // Without consent nothing moves.
    await terminal.answer('Close unit 1 0 for 400 ms now?', 'n');
    expect(board.relays).toEqual([]);
    // Over an occupied closing loop neither.
    board.inputs[5] = true;
    await terminal.sees('Close unit 1 1 for 400 ms now?');
    await board.lookedAt();
    terminal.type('y\r');
    await terminal.sees('the closing loop is occupied');
    expect(board.relays).toEqual([]);
    board.inputs[5] = false;
    await terminal.sees('Close unit 1 1 for 400 ms now?');
    await board.lookedAt();
    terminal.type('y\r');
    await terminal.answer(/What happened\?[\s\S]*Number/u, 'open');
    expect(board.pulses(1)).toBe(1);
    await terminal.answer('Close unit 1 2 for 400 ms now?', 'y');
    await terminal.answer(/What happened\?[\s\S]*Number/u, 'close');
    await terminal.answer('Try the rest of the relays', 'n');
    await terminal.answer('Measure the run times', 'n');
    await terminal.answer('rise, ms', '2500');
    await terminal.answer('fall, ms', '2800');
    await terminal.answer('camera for this lane', 'n');
    await terminal.sees('+   - id: entry');
    await terminal.answer('Write ', 'y');
    await terminal.sees('systemctl restart laurel-gate');
    expect(await terminal.ended).toBe(0);
    expect(board.closed).toEqual([]);

    const config = await loadConfig(path);
    expect(config.devices).toMatchObject([{ driver: 'modbus', path: board.path, baudRate: 9_600, units: [{ unit: 1, profile: 'waveshare-relay' }] }]);
    expect(config.lanes).toMatchObject([
      {
        id: 'entry',
        name: 'East gate, in',
        barrier: { closing: 'gateway-closes', open: { device: 'bus', unit: 1, line: 1 }, close: { unit: 1, line: 2 }, openTimeMs: 2_500, closeTimeMs: 2_800 },
        inputs: { approach: { unit: 1, line: 2 }, closing: { unit: 1, line: 5 }, button: { unit: 1, line: 3, activeLow: true } },
      },
    ]);
    expect(existsSync(`${path}.commission.json`)).toBe(false);
  }, 120_000);

  it('goes on where a dropped session left it, with every relay released', async () => {
    const first = start();
    await upToTheLoops(first);
    await teach(first, 'APPROACH loop', 0);
    await first.sees('closing loop has to be at rest');
    first.hangUp();
    await first.ended;
    expect(existsSync(path)).toBe(false);

    const second = start();
    await second.answer('was cut off. Go on with it?', 'y');
    await teach(second, 'CLOSING loop', 1);
    for (const role of ['light beam', 'open limit', 'closed limit', 'fire alarm', 'STOP', 'guard button']) await second.answer(`${role} wired`, 'n');
    await second.answer('Close unit 1 0 for 400 ms now?', 'y');
    // The session drops while the contact is given.
    await until(() => board.pulses(0) === 1, { what: 'the pulse' });
    second.hangUp();
    await second.ended;
    await until(() => board.closed.length === 0, { what: 'the relay to be released' });

    const third = start({ LC_ALL: 'zh_CN.UTF-8' });
    await third.answer('继续吗', 'y');
    // The pulse had no answer, so it is asked for again; what was taught is known.
    await third.answer('吸合 400 毫秒吗', 'n');
    third.type('\u0003');
    expect(await third.ended).toBe(1);
    expect(third.shown).toContain('COMMAND_INTERRUPTED');
    expect(board.closed).toEqual([]);
  }, 120_000);

  it('adds a second lane by a file of answers, keeps comments, and keeps the old file', async () => {
    const answers = {
      'site.id': 'laurel',
      'gate.dataDirectory': join(folder, 'data'),
      'hardware.1': 'other',
      'hardware.1.path': board.path,
      'hardware.1.units': '1',
      'hardware.1.baudRates': '9600',
      'unit.1.profile': 'generic',
      'teach.approach': 'skip',
      'teach.approach.line': 'bus/1/0',
      'teach.closing': 'skip',
      'teach.closing.line': 'bus/1/1',
      'pulse.bus/1/0': false,
      'outputs.again': false,
      'output.open.line': 'bus/1/0',
      'output.close.line': 'bus/1/1',
      'boom.measure': false,
    };
    const file = join(folder, 'answers.json');
    await writeFile(file, JSON.stringify(answers));
    const first = await runCli(['commission', '--config', path, '--answers', file]);
    expect(first).toMatchObject({ status: 0, err: '' });
    expect(board.relays).toEqual([]);
    await writeFile(path, `# the technician's own words\n${await readFile(path, 'utf8')}`);

    const more = { ...answers, 'hardware.1': 'device bus', 'teach.approach.line': 'bus/1/2', 'teach.closing.line': 'bus/1/3', 'output.open.line': 'bus/1/2', 'output.close.line': 'bus/1/3', 'lane.id': 'exit', 'lane.direction': 'exit' };
    await writeFile(file, JSON.stringify(more));
    const second = await runCli(['commission', '--config', path, '--answers', file]);
    expect(second).toMatchObject({ status: 0, err: '' });
    const text = await readFile(path, 'utf8');
    expect(text).toContain("# the technician's own words");
    expect((await loadConfig(path)).lanes.map(({ id, barrier }) => [id, barrier.open.line, barrier.close?.line])).toEqual([
      ['entry', 0, 1],
      ['exit', 2, 3],
    ]);
    expect((await readdir(folder)).filter((name) => /^gate\.yaml\.\d{8}-\d{6}$/u.test(name))).toHaveLength(1);

    await writeFile(file, JSON.stringify({ ...more, 'lane.id': 'East' }));
    const wrong = await runCli(['commission', '--config', path, '--answers', file]);
    expect(wrong.status).toBe(2);
    expect(wrong.err).toContain('lane.id');
  }, 60_000);
});
