import { availableParallelism, tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { GateError, errorText } from '../../../src/base/index.js';

export const usage = 'scripts/fleet [--gates N] [--seconds S] [--rate EVENTS-PER-MINUTE-PER-GATE] [--backlog EVENTS-PER-GATE] [--outage S] [--consumers N | --share N] [--tls] [--limit] [--workers N] [--directory DIR] [--seed N] [--json] | scripts/fleet --arithmetic';

export interface FleetOptions {
  readonly gates: number;
  /** Of each measurement under load. */
  readonly seconds: number;
  /** Events a minute and gate. */
  readonly rate: number;
  /** Events a gate that wait at the start. */
  readonly backlog: number;
  /** For so long the broker is gone, s; 0: it is never killed. */
  readonly outage: number;
  /** Processes of the platform, each with sites of its own. */
  readonly consumers: number;
  /** Connections among which the broker shares the events out; 1: none shared. */
  readonly share: number;
  readonly tls: boolean;
  /** Doubles the rate until the fleet no longer follows. */
  readonly limit: boolean;
  /** Processes over which the gates are spread. */
  readonly workers: number;
  /** Where the journals are put, in a folder of their own. */
  readonly directory: string;
  readonly seed: number;
  readonly json: boolean;
  /** Prints the tables of the README instead of a run. */
  readonly arithmetic: boolean;
}

/** @throws GateError CLI_USAGE */
export function readFleetOptions(args: readonly string[]): FleetOptions {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  let values;
  try {
    ({ values } = parseArgs({ args: [...args], options: { gates: text, seconds: text, rate: text, backlog: text, outage: text, consumers: text, share: text, workers: text, seed: text, directory: text, tls: flag, limit: flag, json: flag, arithmetic: flag } }));
  } catch (cause) {
    throw new GateError('CLI_USAGE', `${errorText(cause)}. ${usage}`, {}, cause);
  }
  const number = (name: 'gates' | 'seconds' | 'rate' | 'backlog' | 'outage' | 'consumers' | 'share' | 'workers' | 'seed', usual: number, schema: z.ZodType<number>, what: string): number => {
    const given = values[name];
    if (given === undefined) return usual;
    const value = schema.safeParse(given);
    if (!value.success) throw new GateError('CLI_USAGE', `--${name} takes ${what}, got "${given}". ${usage}`);
    return value.data;
  };
  const whole = (least: number, most: number): z.ZodType<number> => z.coerce.number().int().min(least).max(most);
  const options: FleetOptions = {
    gates: number('gates', 20, whole(1, 5_000), 'a whole number from 1 to 5000'),
    seconds: number('seconds', 30, whole(1, 3_600), 'a whole number from 1 to 3600'),
    rate: number('rate', 13, z.coerce.number().min(0.1).max(60_000), 'a number from 0.1 to 60000'),
    backlog: number('backlog', 0, whole(0, 1_000_000), 'a whole number from 0 to 1000000'),
    outage: number('outage', 10, whole(0, 600), 'a whole number from 0 to 600'),
    consumers: number('consumers', 1, whole(1, 64), 'a whole number from 1 to 64'),
    share: number('share', 1, whole(1, 64), 'a whole number from 1 to 64'),
    workers: number('workers', Math.min(4, availableParallelism()), whole(1, 64), 'a whole number from 1 to 64'),
    seed: number('seed', 1, whole(0, 2 ** 31), 'a whole number from 0'),
    directory: values.directory ?? tmpdir(),
    tls: values.tls,
    limit: values.limit,
    json: values.json,
    arithmetic: values.arithmetic,
  };
  if (options.consumers > 1 && options.share > 1) {
    throw new GateError('CLI_USAGE', `--consumers gives each process sites of its own, --share lets the broker share the events out: give one of them. ${usage}`);
  }
  return options;
}
