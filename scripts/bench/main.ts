/**
 * Measures, each figure beside a reference of the same run.
 *
 *   npm run bench -- NAME [--json]
 */
import { parseArgs } from 'node:util';
import { GateError } from '../../src/base/index.js';

type Bench = (options: { readonly json: boolean }) => Promise<object>;

/** Loaded only when asked for: each brings its own native libraries. */
const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  recognition: async () => (await import('./recognition.js')).run,
};

const { positionals, values } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean', default: false } } });
const name = positionals[0] ?? '';
const load = benches[name];
if (load === undefined) {
  throw new GateError('CLI_USAGE', `there is no bench "${name}"; there are: ${Object.keys(benches).join(', ')}. npm run bench -- NAME [--json]`);
}
const figures = await (await load())({ json: values.json });
process.stdout.write(values.json ? `${JSON.stringify(figures)}\n` : `${JSON.stringify(figures, null, 2)}\n`);
