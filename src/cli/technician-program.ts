import { Argument, type Command } from 'commander';
import * as z from 'zod/mini';
import { GateError } from '../base/index.js';
import { configPath, type GlobalOptions } from './context.js';
import { optionsOf, wholeNumber } from './options.js';
import type { TestOptions, Wanted } from './testing/index.js';

type Act = (run: (globals: GlobalOptions, command: Command, args: readonly string[]) => Promise<number | undefined>) => (...given: unknown[]) => Promise<void>;

const jsonHelp = 'print JSON for scripts';
const flag = z._default(z.boolean(), false);
const relays = ['open', 'close', 'stop', 'greenLight', 'redLight'] as const;
const contacts = ['beam', 'openLimit', 'closedLimit', 'fire', 'stop', 'button'] as const;
const loops = ['approach', 'closing'] as const;

function oneOf<Name extends string>(names: readonly Name[], text: string | undefined): Name {
  const found = names.find((name) => name === text);
  if (found === undefined) throw new GateError('CLI_USAGE', `"${text ?? ''}" is none of ${names.join(', ')}.`);
  return found;
}

const testSchema = z.object({ json: flag, yes: flag, timeout: z.number() });

/** What a technician on a ladder uses: lines, guided tests, commissioning. Loaded only when asked for. */
export function addTechnicianCommands(program: Command, act: Act): void {
  program
    .command('devices')
    .description('every line of every device: raw, meaning, since when; and what is wrong with it')
    .option('-w, --watch', 'go on live; changed rows are marked, q ends')
    .option('--device <id>', 'of one device only')
    .option('--traffic <device>', 'raw bytes of a serial bus, as they go')
    .option('--offline', 'open the devices here, reading only; while no gate runs')
    .option('--json', `${jsonHelp}; with --watch one line a change, the first says how all stands`)
    .addHelpText('after', '\nExamples:\n  gatectl devices --watch\n  gatectl devices --traffic bus\n  gatectl devices --offline --config gate.yaml')
    .action(
      act(async (globals, command) => {
        const options = optionsOf(z.object({ json: flag, watch: flag, offline: flag, device: z.optional(z.string()), traffic: z.optional(z.string()) }), command);
        const { showDevices } = await import('./devices.js');
        await showDevices(globals, { ...options, device: options.device, traffic: options.traffic });
        return undefined;
      }),
    );

  const test = program.command('test').description('guided tests of a lane, judged and put on record');
  const lane = new Argument('<lane>', 'id of the lane, as gatectl status shows it');
  const common = (name: string): Command =>
    test.command(name).addArgument(lane).option('--timeout <seconds>', 'longest wait for a step', wholeNumber(1, 3_600), 120).option('-y, --yes', 'no questions: whoever runs this sees the boom').option('--json', jsonHelp);
  const run = async (globals: GlobalOptions, command: Command, id: string | undefined, wanted: Wanted): Promise<number> => {
    const { timeout, ...options } = optionsOf(testSchema, command);
    const { runTest } = await import('./testing/index.js');
    const more: TestOptions = { ...options, timeoutS: timeout };
    return runTest(globals, id ?? '', wanted, more);
  };
  common('loop')
    .description('drive a car on, stand, drive off; the loop has to say so, once each')
    .addArgument(new Argument('<loop>', loops.join(' or ')))
    .option('--stand <seconds>', 'how long the car stands', wholeNumber(1, 600), 10)
    .action(act((globals, command, [id, name]) => run(globals, command, id, { kind: 'loop', name: oneOf(loops, name), holdS: optionsOf(z.object({ stand: z.number() }), command).stand })));
  common('input')
    .description('press a button, interrupt the beam, move a limit switch')
    .addArgument(new Argument('<input>', contacts.join(', ')))
    .action(act((globals, command, [id, name]) => run(globals, command, id, { kind: 'input', name: oneOf(contacts, name) })));
  common('relay')
    .description('move the boom by its contact, light a lamp, give STOP; never over anything on a loop')
    .addArgument(new Argument('<output>', relays.join(', ')))
    .option('--ms <time>', 'how long a lamp or STOP is given', wholeNumber(100, 10_000))
    .option('--hold', 'open or close by hold-to-run: the boom moves only while you hold the space bar, also with a loop occupied or broken')
    .action(
      act(async (globals, command, [id, name]) => {
        const { ms, hold, json } = optionsOf(z.object({ ms: z.optional(z.number()), hold: flag, json: flag }), command);
        const relay = oneOf(relays, name);
        if (!hold) return run(globals, command, id, { kind: 'relay', name: relay, ms });
        const { holdBoom } = await import('./testing/index.js');
        return holdBoom(globals, id ?? '', oneOf(['open', 'close'], name), json);
      }),
    );
  common('boom')
    .description('time the boom three times up and down, and propose openTimeMs and closeTimeMs')
    .option('--write', 'put them into the configuration file; comments stay')
    .action(act((globals, command, [id]) => run(globals, command, id, { kind: 'boom', write: optionsOf(z.object({ write: flag }), command).write })));

  program
    .command('commission')
    .description('wire a new lane step by step, and write its configuration')
    .option('--answers <file>', 'answers to the questions as JSON, for repeated installations')
    .addHelpText('after', '\nWorks while the gate is stopped. A session that was cut off goes on where it was.\nExample:\n  sudo gatectl commission --config /etc/laurel-gate/gate.yaml')
    .action(
      act(async (globals, command) => {
        const { answers } = optionsOf(z.object({ answers: z.optional(z.string()) }), command);
        const { commission } = await import('./commission/index.js');
        return commission({ path: configPath(globals), answers });
      }),
    );

}
