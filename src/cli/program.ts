import { Command, CommanderError } from 'commander';
import * as z from 'zod/mini';
import { GateError, errorText, isGateError } from '../base/index.js';
import { packageVersion } from '../daemon/version.js';
import { addBackupCommands } from './backup-program.js';
import { orderLane, type Target } from './command.js';
import { checkConfigFile, explainConfigKeys } from './config.js';
import { addConfigCommands } from './config-program.js';
import { configPath, controlClient, dataDirectory, defaultConfigPath, exitStatus, globalOptions, statusOf, type GlobalOptions } from './context.js';
import { showEvents } from './events.js';
import { jsonOnly, optionsOf, wholeNumber } from './options.js';
import { complain, print } from './output.js';
import { showStatus } from './status.js';
import { addListCommands } from './lists-program.js';
import { addPlatformCommands } from './platform-program.js';
import { addTechnicianCommands } from './technician-program.js';

const examples = `
Examples:
  gatectl status                              what every lane does now
  gatectl events --follow --lane entry        what happens, as it happens
  gatectl open entry --reason "delivery"      open a barrier, on record
  gatectl config check /etc/laurel-gate/gate.yaml
  gatectl recognize --json picture.jpg        the plates of a picture
  gatectl sign-in-code                        a one-time code for the page
  gatectl devices --watch                     every line, live
  gatectl test loop entry closing             a guided test, on record
  gatectl commission --config gate.yaml       wire a new lane step by step

Exit status: 0 done, 1 it did not succeed (refused, faulty, unreadable),
2 the command line is wrong, 3 no running gate was found.

The gate is found by --data DIR, --config FILE, the environment variable
LAUREL_GATE_CONFIG, or ${defaultConfigPath}, in this order.`;

const orders: readonly (readonly [Target, string])[] = [
  ['open', 'open a barrier; it closes again by its own rules'],
  ['close', 'close a barrier, unless something is under it'],
  ['hold', 'open a barrier and keep it open until release'],
  ['release', 'end a hold; the barrier closes when it is clear'],
  ['stop', 'stop a moving barrier where it is'],
  ['fire', 'open a barrier and hold it open over everything but STOP, until fire-over'],
  ['fire-over', 'end that'],
];

/** A journal, drivers and networks are loaded by the command that needs them alone, so that `status` answers at once. */
function buildProgram(end: (status: number) => void): Command {
  const program = new Command('gatectl')
    .description('Laurel Gate on the command line: lanes, events, configuration and recognition.')
    .option('--data <dir>', "the gate's data directory, where its control socket is")
    .option('--config <file>', "the gate's configuration file")
    .showSuggestionAfterError(true)
    .showHelpAfterError('(gatectl --help shows all commands, gatectl help COMMAND one of them)')
    .addHelpText('after', examples)
    .version(packageVersion(), '-V, --version', 'print the version');

  const act =
    (run: (globals: GlobalOptions, command: Command, args: readonly string[]) => Promise<number | undefined>) =>
    async (...given: unknown[]): Promise<void> => {
      const command = given.at(-1);
      if (!(command instanceof Command)) throw new GateError('CLI_USAGE', 'gatectl was called in a way it does not know.');
      end((await run(globalOptions(command), command, command.args)) ?? exitStatus.ok);
    };
  const json = '--json';
  const jsonHelp = 'print JSON for scripts';

  program
    .command('status')
    .description('what the gate, its lanes and its parts do now')
    .option(json, jsonHelp)
    .action(
      act(async (globals, command) => {
        await showStatus(await controlClient(globals), optionsOf(jsonOnly, command).json);
        return undefined;
      }),
    );

  program
    .command('events')
    .description('what happened, the newest last')
    .option('-f, --follow', 'go on with what happens now')
    .option('--lane <lane>', 'of one lane only')
    .option('-n, --limit <count>', 'how many past events', wholeNumber(1, 500), 20)
    .option(json, 'print one JSON object a line')
    .action(
      act(async (globals, command) => {
        const options = optionsOf(z.object({ follow: z._default(z.boolean(), false), lane: z.optional(z.string()), limit: z.number(), json: z._default(z.boolean(), false) }), command);
        await showEvents(await controlClient(globals), { ...options, lane: options.lane });
        return undefined;
      }),
    );

  for (const [target, description] of orders) {
    program
      .command(target)
      .description(description)
      .argument('<lane>', 'id of the lane, as gatectl status shows it')
      .option('-r, --reason <text>', 'why; it goes on record', 'ordered on the console')
      .option(json, jsonHelp)
      .action(
        act(async (globals, command, [lane]) => {
          const options = optionsOf(z.object({ reason: z.string(), json: z._default(z.boolean(), false) }), command);
          await orderLane(await controlClient(globals), lane ?? '', target, options.reason, options.json);
          return undefined;
        }),
      );
  }

  const config = program.command('config').description('check and explain configuration files; what is in force, and changing it');
  config
    .command('check')
    .description('name every fault of a configuration file, with its place and an example')
    .argument('[file]', 'the file; the configuration in use where omitted')
    .option(json, jsonHelp)
    .action(act((globals, command, [file]) => checkConfigFile(file ?? configPath(globals), optionsOf(jsonOnly, command).json)));
  config
    .command('explain')
    .description('what the keys of the configuration mean')
    .argument('[key]', 'only keys whose path contains this, e.g. barrier')
    .option(json, jsonHelp)
    .action(
      act(async (_globals, command, [key]) => {
        await explainConfigKeys(key, optionsOf(jsonOnly, command).json);
        return undefined;
      }),
    );

  addConfigCommands(config, act);

  program
    .command('recognize')
    .description('read the plates of pictures and videos; finding none is no failure')
    .argument('<file...>', 'JPEG, PNG, WebP, or a video')
    .option(json, 'print one JSON object a file')
    .option('--annotate <dir>', 'also draw what was found into pictures in this folder')
    .option('--models <dir>', 'models of your own; the shipped ones where omitted')
    .option('--threads <count>', 'threads of one network run', wholeNumber(1, 16), 1)
    .option('--frames', 'of a video, also every frame')
    .addHelpText('after', '\nExamples:\n  gatectl recognize car.jpg\n  gatectl recognize --json --annotate /tmp/drawn *.jpg > plates.jsonl\n  gatectl recognize driveway.mp4')
    .action(
      act(async (_globals, command, files) => {
        const options = optionsOf(
          z.object({ json: z._default(z.boolean(), false), annotate: z.optional(z.string()), models: z.optional(z.string()), threads: z.number(), frames: z._default(z.boolean(), false) }),
          command,
        );
        const { recognizeCommand } = await import('./recognize.js');
        return recognizeCommand(files, { ...options, annotate: options.annotate, models: options.models });
      }),
    );

  const journal = program.command('journal').description("the gate's record of everything that happened");
  journal
    .command('verify')
    .description('walk the chain of all events and say where it breaks; a running gate goes on meanwhile')
    .option(json, jsonHelp)
    .action(
      act(async (globals, command) => {
        const { verifyJournal } = await import('./journal.js');
        return verifyJournal(await dataDirectory(globals), optionsOf(jsonOnly, command).json);
      }),
    );

  addBackupCommands(program, journal, act);

  program
    .command('sign-in-code')
    .description('print a one-time code that sets a password for the page')
    .option('--role <role>', 'guard or technician', 'technician')
    .option(json, jsonHelp)
    .action(
      act(async (globals, command) => {
        const options = optionsOf(z.object({ role: z.string(), json: z._default(z.boolean(), false) }), command);
        const client = await controlClient(globals);
        const issued = await client.post(z.object({ code: z.string(), role: z.string() }), '/api/sign-in-code', { role: options.role });
        print(options.json ? JSON.stringify(issued) : `${issued.code}   good once, for a day; whoever enters it on the page sets a name and a password (${issued.role}).`);
        return undefined;
      }),
    );

  addListCommands(program, act);
  addTechnicianCommands(program, act);
  addPlatformCommands(program, act);

  program
    .command('safe-state')
    .description('put every output in the fail state of the configuration, without a running gate')
    .option(json, jsonHelp)
    .addHelpText('after', '\nFor the service manager after a crash, and for a technician: contacts are released, booms raised or held open as\nbarrier.failState says. Where a supervisor runs it has done so already, and its report is shown.\nExample:\n  gatectl safe-state --config /etc/laurel-gate/gate.yaml')
    .action(
      act(async (globals, command) => {
        const { safeState } = await import('./safe-state.js');
        return safeState(configPath(globals), optionsOf(jsonOnly, command).json);
      }),
    );

  program
    .command('run')
    .description('run the gate in this terminal until Ctrl+C')
    .addHelpText('after', '\nWith hardware a supervisor is started beside it, where none runs: it puts the outputs in their fail state if the gate dies.\nExample:\n  gatectl run --config gate.yaml')
    .action(
      act(async (globals) => {
        const { runByHand } = await import('./run.js');
        return runByHand(configPath(globals));
      }),
    );
  return program;
}

/**
 * Runs one command line.
 * @param args what stands after `gatectl`
 * @returns the exit status, see `exitStatus`
 */
export async function runCli(args: readonly string[]): Promise<number> {
  let status: number = exitStatus.ok;
  const program = buildProgram((ended) => (status = ended));
  exitInstead(program);
  // A reader that goes away (`| head`) is no failure of this command.
  process.stdout.on('error', (cause: Error) => {
    if ('code' in cause && cause.code === 'EPIPE') process.exit(exitStatus.ok);
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return status;
  } catch (cause) {
    if (cause instanceof CommanderError) return cause.exitCode === 0 ? exitStatus.ok : exitStatus.usage;
    complain(`gatectl: ${wordsOf(cause)}`);
    return statusOf(cause);
  }
}

/** Commander would end the process itself; every command throws instead, so that statuses are ours. */
function exitInstead(command: Command): void {
  command.exitOverride();
  for (const inner of command.commands) exitInstead(inner);
}

function wordsOf(cause: unknown): string {
  if (!isGateError(cause)) return errorText(cause);
  return `${cause.message.startsWith(`${cause.code}: `) ? cause.message.slice(cause.code.length + 2) : cause.message} [${cause.code}]`;
}
