import type { Command } from 'commander';
import * as z from 'zod/mini';
import type { GlobalOptions } from './context.js';
import { jsonOnly, optionsOf } from './options.js';

type Act = (run: (globals: GlobalOptions, command: Command, args: readonly string[]) => Promise<number | undefined>) => (...given: unknown[]) => Promise<void>;

const flag = z._default(z.boolean(), false);
const jsonHelp = 'print JSON for scripts';

/** Adds `show`, `apply`, `return` and `history` to `gatectl config`. */
export function addConfigCommands(config: Command, act: Act): void {
  config
    .command('show')
    .description('what is in force, what is on trial, and which values are not those of the file')
    .option('--all', 'also every value in force, lists of vehicles left out')
    .option('--json', jsonHelp)
    .action(
      act(async (globals, command) => {
        const { showConfiguration } = await import('./config-managed.js');
        await showConfiguration(globals, optionsOf(z.object({ all: flag, json: flag }), command));
        return undefined;
      }),
    );
  config
    .command('apply')
    .description('lay settings over the configuration file of the running gate; tried when the lanes are quiet, given back where the gate is not well with them')
    .argument('<settings>', 'YAML: only what shall be different, or with --whole all of it')
    .option('--whole', 'in the place of the file')
    .option('--wait', 'until they are proved or given back')
    .option('--json', jsonHelp)
    .addHelpText('after', '\nThe file itself is never written. Exit status with --wait: 0 applied, 1 given back.\nExample:\n  echo "access: {spaces: 120}" > spaces.yaml\n  gatectl config apply spaces.yaml --wait')
    .action(
      act(async (globals, command, [file]) => {
        const { applyConfiguration } = await import('./config-managed.js');
        return applyConfiguration(globals, file ?? '', optionsOf(z.object({ whole: flag, wait: flag, json: flag }), command));
      }),
    );
  config
    .command('return')
    .description('end a trial, or go back to what was in force before')
    .option('--wait', 'until it is proved')
    .option('--json', jsonHelp)
    .action(
      act(async (globals, command) => {
        const { returnConfiguration } = await import('./config-managed.js');
        return returnConfiguration(globals, optionsOf(z.object({ wait: flag, json: flag }), command));
      }),
    );
  config
    .command('history')
    .description('how configurations ended, the newest first')
    .option('--json', 'print one JSON object a line')
    .action(
      act(async (globals, command) => {
        const { showHistory } = await import('./config-managed.js');
        await showHistory(globals, optionsOf(jsonOnly, command).json);
        return undefined;
      }),
    );
}
