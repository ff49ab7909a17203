import type { Command } from 'commander';
import type { GlobalOptions } from './context.js';
import { jsonOnly, optionsOf } from './options.js';

type Act = (run: (globals: GlobalOptions, command: Command, args: readonly string[]) => Promise<number | undefined>) => (...given: unknown[]) => Promise<void>;

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
}
