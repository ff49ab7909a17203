/**
 * The fault campaign: random worlds against the laws of the lane, and kill -9 of the journal and of the whole daemon
 * against ledgers that live outside of them.
 *
 *   npm run faults -- [--only lane,journal,daemon] [--rounds N] [--seed S] [--json]
 *
 * `rounds` counts passages for `lane` and kills for `journal` and `daemon`. Exit status 1 when anything was violated.
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { GateError } from '../../src/base/index.js';
import { runDaemonRounds } from './daemon-rounds.js';
import { runJournalRounds } from './journal-rounds.js';
import { runLaneWorld } from './lane-world.js';

const parts = ['lane', 'journal', 'daemon'] as const;
type Part = (typeof parts)[number];
const isPart = (text: string): text is Part => parts.some((part) => part === text);

const usage = 'npm run faults -- [--only lane,journal,daemon] [--rounds N] [--seed S] [--json]';

function readArguments(): { only: readonly Part[]; rounds: number; seed: number; json: boolean } {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: parts.join(',') },
      rounds: { type: 'string', default: '100' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
    },
  });
  const names = values.only.split(',').map((name) => name.trim());
  const only = names.filter(isPart);
  if (only.length !== names.length) {
    throw new GateError('CLI_USAGE', `--only takes ${parts.join(', ')}, separated by commas; got "${values.only}". ${usage}`);
  }
  const whole = z.coerce.number().int();
  const rounds = whole.min(1).safeParse(values.rounds);
  const seed = whole.safeParse(values.seed);
  if (!rounds.success || !seed.success) throw new GateError('CLI_USAGE', `--rounds and --seed take whole numbers. ${usage}`);
  return { only, rounds: rounds.data, seed: seed.data, json: values.json };
}

/** Rounds of the whole daemon take seconds each, so a campaign of N does one for every tenth kill of the journal alone. */
const daemonShare = 10;

async function main(): Promise<void> {
  const { only, rounds, seed, json } = readArguments();
  const startedMs = performance.now();
  const progress = (part: string, done: number, of: number): void => {
    if (process.stderr.isTTY) process.stderr.write(`\r${part} ${done}/${of}   `);
    else if (done === of || done % Math.max(1, Math.floor(of / 10)) === 0) process.stderr.write(`${part} ${done}/${of}\n`);
  };
  const faults: Record<string, number> = {};
  const addFaults = (more: Readonly<Record<string, number>>): void => {
    for (const [kind, count] of Object.entries(more)) faults[kind] = (faults[kind] ?? 0) + count;
  };
  const result = { seed, rounds, passages: 0, unsafeMovements: 0, miscounted: 0, lost: 0, doubled: 0, reordered: 0, chainBroken: 0, undeclaredLoss: 0 };
  const violations: string[] = [];

  if (only.includes('lane')) {
    const lane = await runLaneWorld({ seed, passages: rounds, onProgress: (done) => progress('lane', done, rounds) });
    result.passages += lane.passages;
    result.unsafeMovements += lane.unsafeMovements;
    result.miscounted += lane.miscounted;
    addFaults(lane.faults);
    violations.push(...lane.violations);
  }
  if (only.includes('journal')) {
    const journal = await runJournalRounds({ rounds, seed, onProgress: (done) => progress('journal', done, rounds) });
    result.lost += journal.lost;
    result.doubled += journal.doubled;
    result.reordered += journal.reordered;
    result.chainBroken += journal.chainBroken;
    result.undeclaredLoss += journal.undeclaredLoss;
    addFaults(journal.faults);
  }
  if (only.includes('journal') || only.includes('daemon')) {
    const daemonRounds = only.includes('daemon') && !only.includes('journal') ? rounds : Math.max(1, Math.round(rounds / daemonShare));
    const daemon = await runDaemonRounds({ rounds: daemonRounds, seed, onProgress: (done) => progress('daemon', done, daemonRounds) });
    result.passages += daemon.passages;
    result.unsafeMovements += daemon.unsafeMovements;
    result.lost += daemon.lost;
    result.doubled += daemon.doubled;
    result.reordered += daemon.reordered;
    result.chainBroken += daemon.chainBroken;
    result.undeclaredLoss += daemon.undeclaredLoss;
    addFaults(daemon.faults);
    violations.push(...daemon.violations);
  }

  const report = { ...result, faults, seconds: Math.round((performance.now() - startedMs) / 100) / 10 };
  const bad = result.unsafeMovements + result.miscounted + result.lost + result.doubled + result.reordered + result.chainBroken + result.undeclaredLoss;
  if (json) {
    process.stdout.write(`${JSON.stringify(report)}\n`);
  } else {
    process.stderr.write('\n');
    for (const [name, value] of Object.entries(report)) process.stdout.write(`${name.padEnd(18)} ${typeof value === 'object' ? JSON.stringify(value) : value}\n`);
  }
  for (const violation of violations.slice(0, 20)) process.stderr.write(`violation: ${violation}\n`);
  process.exitCode = bad + violations.length > 0 ? 1 : 0;
}

await main();
