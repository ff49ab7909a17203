/**
 * The fault campaign: random worlds against the laws of the lane, and kill -9 of the journal and of the whole daemon
 * against ledgers that live outside of them; every fault of line, broker, platform and clock against the platform's ledger.
 *
 *   npm run faults -- [--only lane,journal,uplink,daemon] [--rounds N] [--seed S] [--sweep] [--keep DIR] [--json]
 *   npm run faults -- --only deaths [--json]
 *
 * `rounds` counts passages for `lane`, faults for `uplink`, and kills for `journal` and `daemon`. On top of the kills, `journal`
 * cuts the power (one time for every fourth kill) and lets the disk fail (for every fifth). With `--sweep`, `journal` lets each
 * single write, synchronisation and read of a fixed piece of work fail, and the disk be full from each write on and at it
 * alone; without, one in 40 of them where there are 40 rounds or more. With `--keep`, the files of a gate of `journal` that
 * violated something are kept in that folder. `daemon` beside other parts does a tenth of the rounds, 30 at most. `deaths`
 * goes through every way to die in every state of the lane and prints what the relays and the boom did. Exit status 1 when
 * anything was violated; a violated world is printed on stderr as the smallest plan that still fails, with the seed and path
 * of fast-check.
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { GateError } from '../../src/base/index.js';
import { deathsTable, runDeaths, type DeathReport } from './deaths.js';
import { runDaemonRounds } from './daemon-rounds.js';
import { runJournalRounds } from './journal-rounds.js';
import { runLaneCampaign, type LaneFailure } from './lane/index.js';
import { runUplinkRounds } from './uplink-rounds.js';

const parts = ['lane', 'journal', 'uplink', 'daemon', 'deaths'] as const;
/** What runs where nothing is named; the deaths take half an hour and are asked for by name. */
const usualParts: readonly Part[] = ['lane', 'journal', 'uplink', 'daemon'];
type Part = (typeof parts)[number];
const isPart = (text: string): text is Part => parts.some((part) => part === text);

const usage = 'npm run faults -- [--only lane,journal,uplink,daemon,deaths] [--rounds N] [--seed S] [--sweep] [--keep DIR] [--json]';

function readArguments(): { only: readonly Part[]; rounds: number; seed: number; sweep: boolean; keep: string | undefined; json: boolean } {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: usualParts.join(',') },
      rounds: { type: 'string', default: '100' },
      seed: { type: 'string', default: '1' },
      sweep: { type: 'boolean', default: false },
      keep: { type: 'string' },
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
  return { only, rounds: rounds.data, seed: seed.data, sweep: values.sweep, keep: values.keep, json: values.json };
}

/** Rounds of the whole daemon take seconds each: beside other parts it does a tenth of the rounds, and no more than these. */
const daemonShare = 10;
const mostDaemonRounds = 30;

async function main(): Promise<void> {
  const { only, rounds, seed, sweep, keep, json } = readArguments();
  const startedMs = performance.now();
  let told = '';
  const progress = (part: string, done: number, of: number): void => {
    if (process.stderr.isTTY) {
      process.stderr.write(`\r${part} ${done}/${of}   `);
      return;
    }
    // A log gets a line for every tenth.
    const tenth = `${part} ${Math.floor((10 * done) / of)}`;
    if (tenth === told) return;
    told = tenth;
    process.stderr.write(`${part} ${done}/${of}\n`);
  };
  const faults: Record<string, number> = {};
  const addFaults = (more: Readonly<Record<string, number>>): void => {
    for (const [kind, count] of Object.entries(more)) faults[kind] = (faults[kind] ?? 0) + count;
  };
  const world = { passages: 0, unsafeMovements: 0, miscounted: 0 };
  const record = { lost: 0, doubled: 0, reordered: 0, chainBroken: 0, undeclaredLoss: 0 };
  const violations: string[] = [];
  const addRecord = (part: Readonly<typeof record> & { readonly faults: Readonly<Record<string, number>>; readonly violations: readonly string[] }): void => {
    record.lost += part.lost;
    record.doubled += part.doubled;
    record.reordered += part.reordered;
    record.chainBroken += part.chainBroken;
    record.undeclaredLoss += part.undeclaredLoss;
    addFaults(part.faults);
    violations.push(...part.violations);
  };

  if (only.includes('lane')) {
    const lane = await runLaneCampaign({ seed, passages: rounds, onProgress: (done) => progress('lane', done, rounds) });
    world.passages += lane.passages;
    world.unsafeMovements += lane.unsafeMovements;
    world.miscounted += lane.miscounted;
    addFaults(lane.faults);
    violations.push(...lane.failures.map(describeFailure), ...lane.neverExercised.map((kind) => `${kind} never happened in a whole campaign`));
  }
  if (only.includes('journal')) {
    const journal = await runJournalRounds({ rounds, seed, ...(sweep ? { sweepEvery: 1 } : {}), keep, onProgress: (done) => progress('journal', done, rounds) });
    addRecord(journal);
    if (journal.leftOut.length > 0) process.stderr.write(`left out, because there is no C compiler (cc) here: ${journal.leftOut.join(', ')}\n`);
  }
  if (only.includes('uplink')) {
    const uplink = await runUplinkRounds({ rounds, seed, onProgress: (done) => progress('uplink', done, rounds) });
    addRecord(uplink);
  }
  if (only.includes('daemon')) {
    const daemonRounds = only.length === 1 ? rounds : Math.min(mostDaemonRounds, Math.max(1, Math.round(rounds / daemonShare)));
    const daemon = await runDaemonRounds({ rounds: daemonRounds, seed, onProgress: (done) => progress('daemon', done, daemonRounds) });
    world.passages += daemon.passages;
    world.unsafeMovements += daemon.unsafeMovements;
    addRecord(daemon);
  }

  let deaths: readonly DeathReport[] = [];
  if (only.includes('deaths')) {
    deaths = await runDeaths({ seed, onReport: (_, done, of) => progress('deaths', done, of) });
    for (const { way, state, verdict, violations: found } of deaths) {
      addFaults({ [`death-by-${way}`]: 1 });
      if (verdict !== 'unsafe') continue;
      world.unsafeMovements += 1;
      violations.push(`${way} while ${state}: ${found.join('; ')}`);
    }
    if (!json) process.stdout.write(`${deathsTable(deaths)}\n\n`);
  }

  const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
  // The lane keeps no record of its own: a campaign of lanes alone says nothing about one.
  const recorded = only.some((part) => part !== 'lane' && part !== 'deaths') ? record : {};
  const moved = only.some((part) => part === 'lane' || part === 'daemon' || part === 'deaths') ? world : {};
  const report = { seed, rounds, ...moved, ...recorded, faults, ...(deaths.length === 0 ? {} : { deaths }), seconds };
  const bad = world.unsafeMovements + world.miscounted + Object.values(record).reduce((sum, count) => sum + count, 0);
  if (json) {
    process.stdout.write(`${JSON.stringify(report)}\n`);
  } else {
    process.stderr.write('\n');
    for (const [name, value] of Object.entries(report)) if (name !== 'deaths') process.stdout.write(`${name.padEnd(18)} ${typeof value === 'object' ? JSON.stringify(value) : value}\n`);
  }
  for (const violation of violations.slice(0, 20)) process.stderr.write(`violation: ${violation}\n`);
  process.exitCode = bad + violations.length > 0 ? 1 : 0;
}

function describeFailure({ seed, path, violations, minimalPath, minimalPlan, minimalViolations }: LaneFailure): string {
  const lines = [
    `world seed ${seed} path ${path}: ${violations.join(' | ')}`,
    `  smallest that fails: path ${minimalPath}: ${minimalViolations.join(' | ')}`,
    `  ${JSON.stringify(minimalPlan)}`,
  ];
  return lines.join('\n');
}

await main();
