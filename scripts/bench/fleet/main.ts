/**
 * A fleet of gates on this machine: real journals and uplinks with light lanes, one mosquitto, the reference platform.
 *
 *   scripts/fleet [--gates N] [--seconds S] [--rate EVENTS-PER-MINUTE-PER-GATE] [--backlog EVENTS-PER-GATE] [--outage S]
 *                 [--consumers N | --share N] [--tls] [--limit] [--workers N] [--directory DIR] [--seed N] [--json]
 *   scripts/fleet --arithmetic
 *
 * Exit status 1 when an event was lost, doubled or out of order, or a gate did not come back.
 */
import { GateError, errorText } from '../../../src/base/index.js';
import { printArithmetic } from './arithmetic.js';
import { runFleet } from './fleet.js';
import { readFleetOptions } from './options.js';
import { isSound, reportText } from './report.js';

try {
  const options = readFleetOptions(process.argv.slice(2));
  if (options.arithmetic) {
    process.stdout.write(printArithmetic());
  } else {
    const report = await runFleet(options, (text) => void process.stderr.write(`fleet: ${text}\n`));
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : reportText(report));
    process.exitCode = isSound(report) ? 0 : 1;
  }
} catch (error) {
  process.stderr.write(`${error instanceof GateError ? error.message : errorText(error)}\n`);
  process.exitCode = error instanceof GateError && error.code === 'CLI_USAGE' ? 2 : 1;
}
