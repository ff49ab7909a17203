/**
 * Measures, each figure beside a reference of the same run.
 *
 *   npm run bench -- NAME [--json] [--passages N] [--seconds N] [--backlog N] [--batch N] [--rows N] [--rounds N] [--directory DIR]
 *                          [--sync-ms N]
 *
 * `--passages` is for latency, `--seconds` for control and uplink, `--backlog` for all three, `--batch` (events in a message)
 * for uplink; `--rows`, `--rounds`, `--directory` (on the disk to be measured) and `--sync-ms` (instead of this machine's disk
 * one that takes so long for a synchronisation) are for journal; `--rounds` and `--directory` also for lists.
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { GateError } from '../../src/base/index.js';
import type { BenchOptions } from './options.js';

type Bench = (options: BenchOptions) => Promise<object>;

const usage = 'npm run bench -- NAME [--json] [--passages N] [--seconds N] [--backlog N] [--batch N] [--rows N] [--rounds N] [--directory DIR] [--sync-ms N]';

/** Loaded only when asked for: each brings its own native libraries. */
const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  recognition: async () => (await import('./recognition.js')).run,
  latency: async () => (await import('./latency.js')).run,
  control: async () => (await import('./control.js')).run,
  journal: async () => (await import('./journal.js')).run,
  lists: async () => (await import('./lists.js')).run,
  uplink: async () => (await import('./uplink.js')).run,
};

/** `{ [name]: value }` where the option was given. */
function whole(name: 'passages' | 'seconds' | 'backlog' | 'batch' | 'rows' | 'rounds', text: string | undefined): Partial<BenchOptions> {
  if (text === undefined) return {};
  const value = z.coerce.number().int().min(1).safeParse(text);
  if (!value.success) throw new GateError('CLI_USAGE', `--${name} takes a whole number from 1, got "${text}". ${usage}`);
  return { [name]: value.data };
}

function syncMs(text: string | undefined): Partial<BenchOptions> {
  if (text === undefined) return {};
  const value = z.coerce.number().positive().max(1_000).safeParse(text);
  if (!value.success) throw new GateError('CLI_USAGE', `--sync-ms takes milliseconds above 0 and up to 1000, got "${text}". ${usage}`);
  return { syncMs: value.data };
}

const { positionals, values } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean', default: false }, passages: { type: 'string' }, seconds: { type: 'string' }, backlog: { type: 'string' }, batch: { type: 'string' }, rows: { type: 'string' }, rounds: { type: 'string' }, directory: { type: 'string' }, 'sync-ms': { type: 'string' } } });
const name = positionals[0] ?? '';
const load = benches[name];
if (load === undefined) {
  throw new GateError('CLI_USAGE', `there is no bench "${name}"; there are: ${Object.keys(benches).join(', ')}. ${usage}`);
}
const figures = await (await load())({ json: values.json, ...whole('passages', values.passages), ...whole('seconds', values.seconds), ...whole('backlog', values.backlog), ...whole('batch', values.batch), ...whole('rows', values.rows), ...whole('rounds', values.rounds), ...(values.directory === undefined ? {} : { directory: values.directory }), ...syncMs(values['sync-ms']) });
process.stdout.write(values.json ? `${JSON.stringify(figures)}\n` : `${JSON.stringify(figures, null, 2)}\n`);
