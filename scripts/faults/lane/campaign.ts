import { fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { harmlessKinds, laneFaultKinds, type LaneFaultKind } from './kinds.js';
import { planArbitrary, type LanePlan, type PlanOptions } from './plan.js';
import { playLane, type LaneWorldReport } from './player.js';

/** Most vehicles in one world; fast-check draws any number up to it. */
const mostVehicles = 40;
/** Tries to make a failing plan smaller. */
const shrinkTries = 250;
/** Worlds that one worker plays before it reports. */
const worldsPerBlock = 20;
/** From here on a campaign has to have seen every kind of fault. */
const exhaustiveFrom = 2_000;

export interface LaneFailure {
  /** By which the world can be drawn again: `seed` and `path` are fast-check's. */
  readonly seed: number;
  readonly path: string;
  readonly violations: readonly string[];
  /** The smallest plan found that fails, and what is violated in it. */
  readonly minimalPath: string;
  readonly minimalPlan: LanePlan;
  readonly minimalViolations: readonly string[];
}

export interface WorldOutcome {
  readonly report: LaneWorldReport;
  readonly failure: LaneFailure | undefined;
}

/** What a world of a campaign is made of: every second one breaks things, and one in four knows harmless faults only. */
function sortOf(world: number, kinds: readonly LaneFaultKind[]): PlanOptions {
  if (world % 2 === 1) return { traffic: 'anything', faults: kinds, mostVehicles };
  if (world % 4 === 0) return { traffic: 'orderly', faults: [], mostVehicles };
  return { traffic: 'anything', faults: world % 8 === 2 ? kinds.filter((kind) => harmlessKinds.includes(kind)) : [], mostVehicles };
}

/**
 * Draws one world with fast-check, plays it, and makes it as small as it can be where a law was broken.
 * @param seed fast-check's seed; the same seed and options give the same world
 */
export async function checkLaneWorld(seed: number, options: PlanOptions, triesAtMost = shrinkTries): Promise<WorldOutcome> {
  let first: LaneWorldReport | undefined;
  let smallest: LaneWorldReport | undefined;
  let tries = 0;
  const property = fc.asyncProperty(planArbitrary(options), async (plan) => {
    tries += 1;
    if (tries > triesAtMost) return true;
    const report = await playLane(plan);
    first ??= report;
    if (report.violations.length === 0) return true;
    smallest = report;
    return false;
  });
  const details = await fc.check(property, { seed, numRuns: 1 });
  // Not a broken law but a broken world: what the player itself threw.
  if (first === undefined) throw new Error(`the world of seed ${seed} could not be played`, { cause: details.errorInstance });
  const [minimalPlan] = details.counterexample ?? [];
  if (minimalPlan === undefined || smallest === undefined) return { report: first, failure: undefined };
  return {
    report: first,
    failure: { seed, path: '0', violations: first.violations, minimalPath: details.counterexamplePath ?? '0', minimalPlan, minimalViolations: smallest.violations },
  };
}

/** Plays one world again as data. */
export { playLane };

export interface LaneCampaignOptions {
  readonly seed: number;
  /** True vehicles to see in all worlds together, at least. */
  readonly passages: number;
  /** Faults to draw from in every second world; all kinds where omitted. */
  readonly faults?: readonly LaneFaultKind[];
  /** Processes to spread the worlds over; the result is the same for any number. One plays in this process. */
  readonly workers?: number;
  /** Told how many passages are done. */
  readonly onProgress?: (done: number) => void;
}

export interface LaneCampaignReport {
  readonly worlds: number;
  readonly passages: number;
  readonly unsafeMovements: number;
  readonly excusedMovements: number;
  readonly miscounted: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly failures: readonly LaneFailure[];
  /** Kinds of faults that were to happen in a long campaign and never did. */
  readonly neverExercised: readonly LaneFaultKind[];
}

/** What a worker is asked for: a block of worlds of a campaign. */
export interface BlockOrder {
  readonly block: number;
  readonly seed: number;
  readonly faults: readonly LaneFaultKind[];
}

export interface BlockResult {
  readonly block: number;
  readonly worlds: readonly WorldOutcome[];
}

export async function playBlock({ block, seed, faults }: BlockOrder): Promise<BlockResult> {
  const worlds: WorldOutcome[] = [];
  for (let index = 0; index < worldsPerBlock; index += 1) {
    const world = block * worldsPerBlock + index;
    worlds.push(await checkLaneWorld((seed * 1_000_003 + world) | 0, sortOf(world, faults)));
  }
  return { block, worlds };
}

/** Adds up worlds in their order, and knows when enough vehicles were seen. */
class Sum {
  readonly #wanted: number;
  readonly #waiting = new Map<number, BlockResult>();
  readonly #kinds: readonly LaneFaultKind[];
  #next = 0;
  readonly #total = { worlds: 0, passages: 0, unsafeMovements: 0, excusedMovements: 0, miscounted: 0 };
  readonly #faults: Record<string, number> = {};
  readonly #failures: LaneFailure[] = [];

  constructor(wanted: number, kinds: readonly LaneFaultKind[]) {
    this.#wanted = wanted;
    this.#kinds = kinds;
  }

  get enough(): boolean {
    return this.#total.passages >= this.#wanted;
  }

  get passages(): number {
    return this.#total.passages;
  }

  take(result: BlockResult): void {
    this.#waiting.set(result.block, result);
    for (let next = this.#waiting.get(this.#next); next !== undefined; next = this.#waiting.get(this.#next)) {
      this.#waiting.delete(this.#next);
      this.#next += 1;
      for (const world of next.worlds) if (!this.enough) this.#add(world);
    }
  }

  #add({ report, failure }: WorldOutcome): void {
    const total = this.#total;
    total.worlds += 1;
    total.passages += report.passages;
    total.unsafeMovements += report.unsafeMovements;
    total.excusedMovements += report.excusedMovements;
    total.miscounted += report.miscounted;
    for (const [kind, count] of Object.entries(report.faults)) this.#faults[kind] = (this.#faults[kind] ?? 0) + count;
    if (failure !== undefined) this.#failures.push(failure);
  }

  report(): LaneCampaignReport {
    const faults = Object.fromEntries(this.#kinds.map((kind) => [kind, this.#faults[kind] ?? 0]));
    const neverExercised = this.#wanted >= exhaustiveFrom ? this.#kinds.filter((kind) => faults[kind] === 0) : [];
    return { ...this.#total, faults, failures: this.#failures, neverExercised };
  }
}

/** Random worlds until enough vehicles were seen; every second one with faults, the others judged by their counts too. */
export async function runLaneCampaign(options: LaneCampaignOptions): Promise<LaneCampaignReport> {
  const { seed, passages, faults = laneFaultKinds, workers = availableParallelism(), onProgress } = options;
  const sum = new Sum(passages, faults);
  let blocks = 0;
  const work = async (play: (order: BlockOrder) => Promise<BlockResult>): Promise<void> => {
    while (!sum.enough) {
      const block = blocks;
      blocks += 1;
      sum.take(await play({ block, seed, faults }));
      onProgress?.(Math.min(sum.passages, passages));
    }
  };
  if (workers <= 1) await work(playBlock);
  else await Promise.all(Array.from({ length: workers }, () => withWorker(work)));
  return sum.report();
}

/** Plays blocks in a process of its own. */
async function withWorker(work: (play: (order: BlockOrder) => Promise<BlockResult>) => Promise<void>): Promise<void> {
  const worker = fork(fileURLToPath(new URL('./worker.ts', import.meta.url)), { serialization: 'advanced' });
  const gone = once(worker, 'exit');
  const play = (order: BlockOrder): Promise<BlockResult> =>
    new Promise((resolve, reject) => {
      worker.removeAllListeners('message');
      worker.removeAllListeners('error');
      worker.once('message', (result: BlockResult) => resolve(result));
      worker.once('error', reject);
      void gone.then(() => reject(new Error('a worker of the campaign died; its error is above')));
      worker.send(order);
    });
  try {
    await work(play);
  } finally {
    if (worker.connected) worker.disconnect();
    await gone;
  }
}
