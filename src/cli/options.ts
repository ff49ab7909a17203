import { InvalidArgumentError, type Command } from 'commander';
import * as z from 'zod/mini';

/** A whole number within bounds, for commander. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/u.test(text) || value < least || value > most) throw new InvalidArgumentError(`a whole number from ${least} to ${most}`);
    return value;
  };
}

/** Options of a command, checked: commander gives them without types. */
export function optionsOf<Schema extends z.ZodMiniType>(schema: Schema, command: Command): z.output<Schema> {
  return z.parse(schema, command.optsWithGlobals());
}

export const jsonOnly = z.object({ json: z._default(z.boolean(), false) });
