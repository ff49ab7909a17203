/**
 * The laws of the barrier, proved as far as a machine can: every order of inputs of small lanes.
 *
 *   npm run laws -- [--lane NAME] [--states N] [--json]
 */
import { parseArgs } from 'node:util';
import * as z from 'zod/mini';
import { GateError } from '../../src/base/index.js';
import { explore } from './explore.js';
import { sites } from './sites.js';

/** One in so many states met again is compared with the first of its kind. */
const checkEvery = 500;

function readArguments(): { readonly lane: string | undefined; readonly states: number; readonly json: boolean } {
  const { values } = parseArgs({ options: { lane: { type: 'string' }, states: { type: 'string', default: '4000000' }, json: { type: 'boolean', default: false } } });
  const states = z.coerce.number().check(z.int(), z.minimum(1)).safeParse(values.states);
  if (!states.success) throw new GateError('CLI_USAGE', '--states takes a whole number.');
  if (values.lane !== undefined && sites[values.lane] === undefined) throw new GateError('CLI_USAGE', `--lane takes one of: ${Object.keys(sites).join('; ')}.`);
  return { lane: values.lane, states: states.data, json: values.json };
}

const { lane, states: mostStates, json } = readArguments();
const lanes: Record<string, { readonly states: number; readonly transitions: number; readonly depth: number; readonly complete: boolean; readonly compared: number; readonly violations: number }> = {};
let [states, transitions, violations] = [0, 0, 0];
for (const [name, site] of Object.entries(sites)) {
  if (lane !== undefined && lane !== name) continue;
  const result = explore({
    settings: site.settings,
    targets: site.targets,
    operator: site.operator,
    mostVehicles: site.vehicles,
    mostOutputFaults: site.outputFaults,
    mostStates,
    checkEvery,
    onProgress: (seen, waiting) => process.stderr.write(`${name}: ${seen} states, ${waiting} waiting\n`),
  });
  lanes[name] = { states: result.states, transitions: result.transitions, depth: result.depth, complete: result.complete, compared: result.compared, violations: result.violations.length };
  states += result.states;
  transitions += result.transitions;
  violations += result.violations.length;
  if (!json) process.stdout.write(`${name.padEnd(36)} ${String(result.states).padStart(9)} states ${String(result.transitions).padStart(10)} inputs  depth ${String(result.depth).padStart(3)}  ${result.complete ? 'whole' : 'not whole'}  ${result.violations.length} violations\n`);
  for (const { law, what, path } of result.violations.slice(0, 3)) process.stderr.write(`${law}: ${what}: ${path.join(' > ')}\n`);
}
if (json) process.stdout.write(`${JSON.stringify({ states, transitions, violations, complete: Object.values(lanes).every(({ complete }) => complete), lanes })}\n`);
else process.stdout.write(`${states} states, ${transitions} inputs, ${violations} violations\n`);
process.exitCode = violations > 0 ? 1 : 0;
