import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** One file each for the victim and its journal thread: a start from the sources would take most of a round. */
export async function buildVictim(source: 'journal-child.ts' | 'uplink-child.ts' | 'sweep-child.ts'): Promise<string> {
  const builds = join(root, '.cache', `faults-${process.pid}`);
  const outdir = join(builds, source);
  mkdirSync(outdir, { recursive: true });
  await build({
    entryPoints: { victim: join(root, 'scripts/faults', source), thread: join(root, 'src/journal/thread.ts') },
    outdir,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // The rest goes into the file too: looking for packages takes longer than a round should.
    external: ['better-sqlite3'],
    banner: { js: `import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);` },
    logLevel: 'error',
  });
  process.once('exit', () => rmSync(builds, { recursive: true, force: true }));
  return join(outdir, 'victim.js');
}
