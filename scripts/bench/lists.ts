import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { BenchProcess } from './load/child.js';
import { asInstalled } from './load/gate-unit.js';
import { listMessages } from './load/list-messages.js';
import { quantile, round } from './load/probe.js';
import type { BenchOptions } from './options.js';

const usualRounds = 10;

const delaySchema = z.object({ p999Ms: z.number(), maxMs: z.number() });
const takenSchema = z.object({ kind: z.literal('taken'), ms: z.number(), messages: z.number(), bytes: z.number(), plates: z.number(), asked: z.number(), slowestMs: z.number(), delay: delaySchema });
const ready = z.object({ kind: z.literal('ready') });

interface Round {
  readonly taken: z.output<typeof takenSchema>;
  /** An idle process meanwhile. */
  readonly idle: z.output<typeof delaySchema>;
}

/** One list into force, watched beside an idle process that begins and ends with it. */
async function watched(gate: BenchProcess, form: 'full' | 'delta'): Promise<Round> {
  const idle = new BenchProcess('idle-process', [], asInstalled);
  try {
    await idle.next(ready);
    const answer = gate.next(takenSchema);
    gate.send({ form });
    const taken = await answer;
    const said = idle.next(z.object({ kind: z.literal('delay'), delay: delaySchema }));
    idle.send({ kind: 'stop' });
    return { taken, idle: (await said).delay };
  } finally {
    await idle.stop();
  }
}

function summary(rounds: readonly Round[]): object {
  const [first] = rounds;
  const over = (of: (one: Round) => number): { readonly median: number; readonly least: number; readonly most: number } => {
    const values = rounds.map(of);
    return { median: round(quantile(values, 0.5)), least: round(Math.min(...values)), most: round(Math.max(...values)) };
  };
  return {
    messages: first?.taken.messages,
    bytes: first?.taken.bytes,
    seconds: over(({ taken }) => taken.ms / 1_000),
    eventLoopMaxMs: over(({ taken }) => taken.delay.maxMs),
    idleMaxMs: over(({ idle }) => idle.maxMs),
    decisionMaxMs: over(({ taken }) => taken.slowestMs),
    decisions: rounds.reduce((sum, { taken }) => sum + taken.asked, 0),
  };
}

/**
 * How long 100,000 plates take until they are in force, on disk and on record: a whole list, and a change of one; and how
 * late the event loop of the process that decides is meanwhile, beside an idle process of the same run.
 */
export async function run(options: BenchOptions): Promise<object> {
  const progress = (text: string): void => void process.stderr.write(`lists: ${text}\n`);
  const parent = options.directory ?? tmpdir();
  mkdirSync(parent, { recursive: true });
  const directory = mkdtempSync(join(parent, 'laurel-bench-'));
  const [full, delta]: [Round[], Round[]] = [[], []];
  const [fullFile, deltaFile] = [join(directory, 'full'), join(directory, 'delta')];
  try {
    const messages = listMessages();
    writeFileSync(fullFile, messages.full);
    writeFileSync(deltaFile, messages.delta);
    for (let count = 0; count < (options.rounds ?? usualRounds); count += 1) {
      const gate = new BenchProcess('lists-gate', [join(directory, String(count)), fullFile, deltaFile], asInstalled);
      try {
        await gate.next(ready);
        full.push(await watched(gate, 'full'));
        delta.push(await watched(gate, 'delta'));
      } finally {
        await gate.stop();
      }
      progress(`round ${count + 1}: whole ${round(full.at(-1)?.taken.ms ?? NaN)} ms, change ${round(delta.at(-1)?.taken.ms ?? NaN)} ms`);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  const worst = (rounds: readonly Round[], of: (one: Round) => number): number => round(Math.max(...rounds.map(of)));
  return {
    name: 'lists',
    figures: {
      plates: full[0]?.taken.plates,
      fullSeconds: round(quantile(full.map(({ taken }) => taken.ms), 0.5) / 1_000),
      deltaSeconds: round(quantile(delta.map(({ taken }) => taken.ms), 0.5) / 1_000),
      eventLoopMaxMs: worst([...full, ...delta], ({ taken }) => taken.delay.maxMs),
    },
    reference: { what: 'an idle Node process on the same machine, watched by the same probe from just before each list until just after', maxMs: worst([...full, ...delta], ({ idle }) => idle.maxMs) },
    what: 'from the first message handed over until the list is proved, on disk, in force and on record; a decision is asked for every 10 ms meanwhile',
    rounds: full.length,
    full: summary(full),
    delta: summary(delta),
  };
}
