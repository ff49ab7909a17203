// Starts a fleet run: makes JavaScript of the sources it needs, so that a gate's journal thread carries no compiler, and
// runs that. Arguments are handed on.
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const folders = ['src', 'scripts/bench/fleet', 'scripts/bench/load'];
const files = (await Promise.all(folders.map(async (folder) => (await readdir(join(root, folder), { recursive: true })).filter((name) => name.endsWith('.ts')).map((name) => join(root, folder, name))))).flat();

// Inside the checkout: packages are found from here, and package.json says that these are modules.
const cache = join(root, '.cache');
await mkdir(cache, { recursive: true });
const out = await mkdtemp(join(cache, 'fleet-'));
let child;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child?.kill(signal));
try {
  await build({ entryPoints: [...files, join(root, 'scripts/faults/mosquitto.ts')], outdir: out, outbase: root, format: 'esm', target: 'node20', logLevel: 'error' });
  child = spawn(process.execPath, [join(out, 'scripts/bench/fleet/main.js'), ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exitCode = await new Promise((done) => child.once('exit', (code, signal) => done(code ?? (signal === null ? 1 : 130))));
} finally {
  await rm(out, { recursive: true, force: true });
}
