/**
 * Whether the tests would notice: takes one guard out of the lane's reducer, runs the lane's tests, and says which of them
 * failed; then the next. A guard whose loss no test notices is a hole in the tests, and makes this fail.
 *
 *   npm run mutants -- [--only NAME] [--json]
 *
 * Each mutant is a copy of the sources with that one guard never blocking; nothing in the checkout is changed.
 */
import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import ts from 'typescript';
import { z } from 'zod';
import { GateError } from '../../src/base/index.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const guardsFile = 'src/lane/guards.ts';
/** What a mutant needs of the checkout to run the lane's tests. */
const copied = ['src', 'test/lane', 'scripts/laws', 'package.json', 'tsconfig.json', 'vitest.config.ts'];

interface Mutant {
  /** List and name of the guard, e.g. `closingGuards closing-loop`. */
  readonly name: string;
  readonly source: string;
}

export interface MutantResult {
  readonly guard: string;
  /** The first test that failed without it; null where none did. */
  readonly noticedBy: string | null;
  /** How many failed in that file. */
  readonly failures: number;
}

/** One mutant for every guard in the lists of `guards.ts`: the same source with that guard never blocking. */
export function guardMutants(source: string): readonly Mutant[] {
  const file = ts.createSourceFile(guardsFile, source, ts.ScriptTarget.ESNext, true);
  const mutants: Mutant[] = [];
  for (const statement of file.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const declaration of statement.declarationList.declarations) {
      if (declaration.initializer === undefined || !ts.isArrayLiteralExpression(declaration.initializer)) continue;
      for (const element of declaration.initializer.elements) {
        if (!ts.isObjectLiteralExpression(element)) continue;
        const value = (key: string): ts.Expression | undefined =>
          element.properties.filter(ts.isPropertyAssignment).find((property) => property.name.getText(file) === key)?.initializer;
        const name = value('name');
        const blocks = value('blocks');
        if (name === undefined || blocks === undefined || !ts.isStringLiteral(name)) continue;
        const mutated = `${source.slice(0, blocks.getStart(file))}() => false${source.slice(blocks.getEnd())}`;
        mutants.push({ name: `${declaration.name.getText(file)} ${name.text}`, source: mutated });
      }
    }
  }
  return mutants;
}

const reportSchema = z.object({
  numTotalTests: z.number(),
  testResults: z.array(z.object({ status: z.string(), message: z.string().nullish(), assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })) })),
});

async function prepare(directory: string): Promise<void> {
  for (const path of copied) await cp(join(root, path), join(directory, path), { recursive: true });
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
}

async function test(directory: string): Promise<Omit<MutantResult, 'guard'>> {
  const report = join(directory, 'report.json');
  await rm(report, { force: true });
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const child = spawn(process.execPath, [vitest, 'run', 'test/lane', '--root', directory, '--bail', '1', '--reporter=json', `--outputFile=${report}`, '--maxWorkers', '1', '--testTimeout', '600000'], { stdio: 'ignore' });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => resolve());
  });
  const { testResults, numTotalTests } = reportSchema.parse(JSON.parse(await readFile(report, 'utf8')));
  const broken = testResults.find(({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0);
  if (broken !== undefined || numTotalTests === 0) throw new GateError('CLI_USAGE', `The tests of a mutant do not run: ${broken?.message ?? 'none was found'}`);
  const failed = testResults.flatMap(({ assertionResults }) => assertionResults.filter(({ status }) => status === 'failed'));
  return { noticedBy: failed[0]?.fullName ?? null, failures: failed.length };
}

/** Tries the mutants, as many at a time as there are processors, each worker in a copy of its own. */
export async function tryMutants(mutants: readonly Mutant[], onDone: (result: MutantResult, done: number) => void): Promise<readonly MutantResult[]> {
  const base = await mkdtemp(join(tmpdir(), 'laurel-gate-mutants-'));
  const waiting = [...mutants];
  const results: MutantResult[] = [];
  const work = async (worker: number): Promise<void> => {
    const directory = join(base, String(worker));
    await mkdir(directory);
    await prepare(directory);
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      await writeFile(join(directory, guardsFile), mutant.source);
      const result = { guard: mutant.name, ...(await test(directory)) };
      results.push(result);
      onDone(result, results.length);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.max(1, Math.min(cpus().length, 4)) }, (_, worker) => work(worker)));
  } finally {
    await rm(base, { recursive: true, force: true });
  }
  const order = mutants.map(({ name }) => name);
  return results.sort((one, other) => order.indexOf(one.guard) - order.indexOf(other.guard));
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: 'string', default: '' }, json: { type: 'boolean', default: false } } });
  const source = await readFile(join(root, guardsFile), 'utf8');
  const mutants = guardMutants(source).filter(({ name }) => name.includes(values.only));
  // The sources as they are come first: tests that fail by themselves would notice everything.
  const untouched = { name: 'untouched', source };
  const results = await tryMutants([untouched, ...mutants], ({ guard, noticedBy }, done) => process.stderr.write(`${done}/${mutants.length + 1} ${guard}: ${noticedBy ?? (guard === 'untouched' ? 'all tests pass' : 'NOT NOTICED')}\n`));
  const guards = results.filter(({ guard }) => guard !== 'untouched');
  const sound = results.some(({ guard, noticedBy }) => guard === 'untouched' && noticedBy === null);
  const survivors = guards.filter(({ noticedBy }) => noticedBy === null).map(({ guard }) => guard);
  if (values.json) process.stdout.write(`${JSON.stringify({ guards: guards.length, noticed: guards.length - survivors.length, survivors, table: guards.map(({ guard, noticedBy }) => ({ guard, noticedBy })) })}\n`);
  else for (const { guard, noticedBy } of guards) process.stdout.write(`${guard.padEnd(40)} ${noticedBy ?? 'NOT NOTICED'}\n`);
  process.exitCode = sound && survivors.length === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
