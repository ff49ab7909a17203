import type { Command } from 'commander';
import * as z from 'zod/mini';
import type { GlobalOptions } from './context.js';
import { optionsOf } from './options.js';

type Act = (run: (globals: GlobalOptions, command: Command, args: readonly string[]) => Promise<number | undefined>) => (...given: unknown[]) => Promise<void>;

/** Adds `backup`, `restore` and `journal schema`. */
export function addBackupCommands(program: Command, journal: Command, act: Act): void {
  program
    .command('backup')
    .description('copy the journal and the configuration into a new folder; a running gate goes on meanwhile')
    .argument('[dir]', "where the new folder is put; the gate's data directory (backup/) where omitted")
    .option('--evidence', 'also photographs')
    .option('--json', 'print JSON for scripts')
    .addHelpText('after', '\nExample:\n  gatectl backup /media/usb --evidence')
    .action(
      act(async (globals, command, [directory]) => {
        const { evidence, json } = optionsOf(z.object({ evidence: z._default(z.boolean(), false), json: z._default(z.boolean(), false) }), command);
        const { backUp } = await import('./backup.js');
        return backUp(globals, { into: directory, evidence, json });
      }),
    );

  program
    .command('restore')
    .description('put a backup in the place of the journal of a stopped gate; what is there is set aside')
    .argument('<dir>', 'the folder that gatectl backup printed')
    .option('--salvage', 'of a damaged backup, put back what can be read')
    .option('--json', 'print JSON for scripts')
    .addHelpText('after', '\nExample:\n  systemctl stop laurel-gate\n  sudo -u laurel gatectl restore /media/usb/manual-2026-01-01T000000Z\n  systemctl start laurel-gate')
    .action(
      act(async (globals, command, [directory]) => {
        const { restore } = await import('./restore.js');
        const { salvage, json } = optionsOf(z.object({ salvage: z._default(z.boolean(), false), json: z._default(z.boolean(), false) }), command);
        await restore(globals, directory ?? '', { salvage, json });
        return undefined;
      }),
    );

  journal
    .command('schema')
    .description("the journal's tables and views with what they mean, for the sqlite3 shell")
    .action(
      act(async () => {
        const [{ schemaText }, { print }] = await Promise.all([import('../journal/offline.js'), import('./output.js')]);
        print(schemaText());
        return undefined;
      }),
    );
}
