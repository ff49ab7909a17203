import { Argument, type Command } from 'commander';
import * as z from 'zod/mini';
import { GateError } from '../base/index.js';
import { controlClient, type GlobalOptions } from './context.js';
import { optionsOf } from './options.js';

type Act = (run: (globals: GlobalOptions, command: Command, args: readonly string[]) => Promise<number | undefined>) => (...given: unknown[]) => Promise<void>;

const jsonHelp = 'print JSON for scripts';
const subjects = ['visitor', 'blocked', 'resident'] as const;
const common = { reason: z.string(), by: z.optional(z.string()), json: z._default(z.boolean(), false) };
const addOptions = z.object({ ...common, from: z.optional(z.string()), until: z.optional(z.string()), lane: z.optional(z.array(z.string())), note: z.optional(z.string()), household: z.optional(z.string()) });

function subjectOf(text: string | undefined): (typeof subjects)[number] {
  const found = subjects.find((name) => name === text);
  if (found === undefined) throw new GateError('CLI_USAGE', `"${text ?? ''}" is none of ${subjects.join(', ')}.`);
  return found;
}

/** `gatectl list`: what a guard changes of the lists. */
export function addListCommands(program: Command, act: Act): void {
  const list = program.command('list').description('who may pass: residents, visitors, blocked plates');
  const subject = new Argument('<what>', subjects.join(', '));
  const change = (name: 'add' | 'remove'): Command =>
    list.command(name).addArgument(subject).argument('<plate>', 'as on the car').requiredOption('-r, --reason <text>', 'why; it goes on record').option('--by <name>', 'the person; whoever is signed in on this console where omitted').option('--json', jsonHelp);

  list
    .command('show')
    .description('the list in force, or all that is known of a plate')
    .argument('[plate]', 'as on the car')
    .option('--json', jsonHelp)
    .action(
      act(async (globals, command, [plate]) => {
        const { showLists } = await import('./lists.js');
        await showLists(await controlClient(globals), plate, optionsOf(z.object({ json: common.json }), command).json);
        return undefined;
      }),
    );
  change('add')
    .description('a visitor pass, a block, or a plate of a household; at once, until the platform has taken it in')
    .option('--from <time>', 'visitors: ISO 8601 with offset; now where omitted')
    .option('--until <time>', 'visitors: ISO 8601 with offset')
    .option('--lane <lane...>', 'visitors: only through these lanes')
    .option('--note <text>', 'visitors: shown to the guard')
    .option('--household <id>', 'residents: id of their household')
    .addHelpText('after', '\nExamples:\n  gatectl list add visitor 京A12345 --until 2026-05-01T18:00:00+08:00 --reason "plumber for 1201" --by "Wang Li"\n  gatectl list add blocked 京A12345 --reason "damaged the boom"\n  gatectl list add resident 京A12345 --household b3-1201 --reason "new car"')
    .action(
      act(async (globals, command, [what, plate]) => {
        const { lane, json, ...options } = optionsOf(addOptions, command);
        const { changeList } = await import('./lists.js');
        await changeList(await controlClient(globals), { action: 'add', subject: subjectOf(what), plate: plate ?? '', ...options, lanes: lane }, json);
        return undefined;
      }),
    );
  change('remove')
    .description("takes away what the platform's list or an earlier change says of a plate")
    .addHelpText('after', '\nExample:\n  gatectl list remove blocked 京A12345 --reason "the damage is paid"')
    .action(
      act(async (globals, command, [what, plate]) => {
        const { json, ...options } = optionsOf(z.object(common), command);
        const { changeList } = await import('./lists.js');
        await changeList(await controlClient(globals), { action: 'remove', subject: subjectOf(what), plate: plate ?? '', ...options }, json);
        return undefined;
      }),
    );
}
