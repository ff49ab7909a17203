import { Option, type Command } from 'commander';
import * as z from 'zod/mini';
import type { GlobalOptions } from './context.js';
import { jsonOnly, optionsOf, wholeNumber } from './options.js';

type Act = (run: (globals: GlobalOptions, command: Command, args: readonly string[]) => Promise<number | undefined>) => (...given: unknown[]) => Promise<void>;

const flag = z._default(z.boolean(), false);
const optional = z.optional(z.string());
const line = {
  broker: z.string(),
  protocol: z.enum(['5', '3.1.1']),
  user: optional,
  passwordFile: optional,
  ca: optional,
  cert: optional,
  key: optional,
};
const defaultLedger = 'laurel-platform.db';
const targets = 'open, close, hold, release, stop, fire, fire-over';

function withLine(command: Command): Command {
  return command
    .requiredOption('--broker <url>', 'mqtt://HOST:1883 or mqtts://HOST:8883')
    .addOption(new Option('--protocol <version>', 'of MQTT').choices(['5', '3.1.1']).default('5'))
    .option('--user <name>', 'name at the broker')
    .option('--password-file <file>', 'holds the password')
    .option('--ca <file>', "PEM of the CA of the broker's certificate")
    .option('--cert <file>', 'PEM of a client certificate')
    .option('--key <file>', 'PEM of its private key');
}

/** `gatectl platform`: the other end of the line, for integrators and technicians. */
export function addPlatformCommands(program: Command, act: Act): void {
  const platform = program.command('platform').description("the platform's side: its contract, and a small platform to try a gate with");
  platform
    .command('contract')
    .description('the contract between gate and platform, as an AsyncAPI 3.0 document in YAML')
    .option('--json', 'the same in JSON')
    .addHelpText('after', '\nExample:\n  gatectl platform contract > laurel-gate.asyncapi.yaml')
    .action(
      act(async (_globals, command) => {
        const { showContract } = await import('./platform-contract.js');
        showContract(optionsOf(jsonOnly, command).json);
        return undefined;
      }),
    );

  withLine(platform.command('run'))
    .description('be a platform: acknowledge events, keep a ledger on disk, say what comes, what is missing and what is wrong')
    .option('--site <id...>', 'gates of these sites only')
    .option('--ledger <file>', 'SQLite file; made where there is none, gone on with where there is one', defaultLedger)
    .option('--after <gate=number...>', 'SITE/GATE=NUMBER: of a gate it has never met, numbers up to this one are with another platform')
    .option('--json', 'print one JSON object a line')
    .addHelpText('after', '\nAn event is acknowledged once it is on disk. Two platforms must not acknowledge the same gate.\nExample:\n  gatectl platform run --broker mqtt://192.168.1.10 --site laurel')
    .action(
      act(async (_globals, command) => {
        const options = optionsOf(z.object({ ...line, site: z.optional(z.array(z.string())), ledger: z.string(), after: z.optional(z.array(z.string())), json: flag }), command);
        const { runPlatform } = await import('./platform-run.js');
        await runPlatform(options);
        return undefined;
      }),
    );

  platform
    .command('show')
    .description('the ledger of every gate: events, gaps, declared losses, doubles, conflicts; also while platform run writes it')
    .option('--ledger <file>', 'as given to platform run', defaultLedger)
    .option('--gate <site/gate>', 'all of one gate')
    .option('--json', 'print JSON for scripts')
    .action(
      act(async (_globals, command) => {
        const { ledger, gate, json } = optionsOf(z.object({ ledger: z.string(), gate: optional, json: flag }), command);
        const { showLedger } = await import('./platform-show.js');
        showLedger(ledger, gate, json);
        return undefined;
      }),
    );

  withLine(platform.command('send'))
    .description('send a lane a command and print its replies; exit status 0 where it was done')
    .argument('<gate>', 'SITE/GATE')
    .argument('<target>', targets)
    .argument('<lane>', 'id of the lane')
    .option('-r, --reason <text>', 'why; it goes on record', 'sent with gatectl platform send')
    .option('--issuer <name>', 'who asks', 'platform:gatectl')
    .option('--expires <seconds>', 'void after this', wholeNumber(1, 86_400), 30)
    .option('--id <id>', 'a new one where omitted; the same again gets the same answer')
    .option('--sign <file>', 'PEM of an Ed25519 private key')
    .option('--sign-as <name>', "the key's name in uplink.commandKeys; its fingerprint where omitted")
    .option('--json', 'print one JSON object a line')
    .addHelpText('after', '\nA gate whose clock is not set refuses with a challenge; the command is then sent once more with it.\nExample:\n  gatectl platform send laurel/east open entry --broker mqtt://192.168.1.10 --reason "delivery" --sign command.pem --sign-as desk')
    .action(
      act(async (_globals, command, [gate, target, lane]) => {
        const options = optionsOf(z.object({ ...line, reason: z.string(), issuer: z.string(), expires: z.number(), id: optional, sign: optional, signAs: optional, json: flag }), command);
        const [{ sendCommand }, { gateNamed }] = await Promise.all([import('./platform-send.js'), import('./platform-line.js')]);
        return sendCommand(gateNamed(gate), target ?? '', lane ?? '', options);
      }),
    );

  withLine(platform.command('list'))
    .description('send a gate its list from a file and print its report; exit status 0 where it is in force')
    .argument('<gate>', 'SITE/GATE')
    .argument('<file>', 'JSON as in the contract, or CSV with a header: kind, id, plates, name, spaces, lanes, hours, from, until, note, reason')
    .option('--ledger <file>', 'remembers what was sent, so that the next list goes as a change', defaultLedger)
    .option('--full', 'send it whole in any case')
    .option('--take-edits <file>', 'take what guards have changed into the list too, and write the list with it to this file (JSON): send that one from then on')
    .option('--timeout <seconds>', 'wait so long for each report', wholeNumber(1, 3_600), 60)
    .option('--json', 'print the report as JSON')
    .addHelpText('after', '\nExample of a file:\n  kind,id,plates,name,spaces,from,until,reason\n  household,b3-1201,京QM86H8 京A12345,1201,1,,,\n  visitor,v-77,浙D55555,,,2026-05-01T08:00:00+08:00,2026-05-01T18:00:00+08:00,\n  blocked,,皖F99999,,,,,damaged the boom')
    .action(
      act(async (_globals, command, [gate, file]) => {
        const options = optionsOf(z.object({ ...line, ledger: z.string(), full: flag, takeEdits: z.optional(z.string()), timeout: z.number(), json: flag }), command);
        const [{ sendListFile }, { gateNamed }] = await Promise.all([import('./platform-list.js'), import('./platform-line.js')]);
        return sendListFile(gateNamed(gate), file ?? '', options);
      }),
    );

  withLine(platform.command('configure'))
    .description('send a gate the configuration it shall have and print its reports; exit status 0 where it is applied')
    .argument('<gate>', 'SITE/GATE')
    .argument('<file>', 'YAML: only what shall be different, or with --whole all of it')
    .option('--revision <number>', 'version of the configuration; one above the last where omitted', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--whole', "in the place of the technician's file")
    .option('--retain', 'keep it at the broker, for a gate that is away')
    .option('--issuer <name>', 'who asks', 'platform:gatectl')
    .option('--timeout <seconds>', 'wait so long for its end', wholeNumber(1, 86_400), 1_800)
    .option('--json', 'print one JSON object a line')
    .addHelpText('after', '\nExample:\n  gatectl platform configure laurel/east spaces.yaml --broker mqtt://192.168.1.10')
    .action(
      act(async (_globals, command, [gate, file]) => {
        const { revision, ...options } = optionsOf(z.object({ ...line, revision: z.optional(z.number()), whole: flag, retain: flag, issuer: z.string(), timeout: z.number(), json: flag }), command);
        const [{ configureGate }, { gateNamed }] = await Promise.all([import('./platform-configure.js'), import('./platform-line.js')]);
        return configureGate(gateNamed(gate), file ?? '', { ...options, version: revision });
      }),
    );
}
