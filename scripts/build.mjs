#!/usr/bin/env node
// Builds dist/: the TypeScript by tsc, the page by esbuild, fonts and other assets by copying.
//   node scripts/build.mjs                         everything into dist/, unless it is up to date
//   node scripts/build.mjs --force                 everything into dist/
//   node scripts/build.mjs --page-only --out DIR   the page alone, into DIR
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, extname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Says from what dist/ was built. */
const stampName = '.built-from';
const pageSource = join(root, 'src', 'web', 'page');

/** Ends the build in plain words; a stack trace helps nobody who only wanted to build. */
class BuildFailure extends Error {}

async function exists(packageName) {
  return existsSync(join(root, 'node_modules', packageName, 'package.json'));
}

/** Type-checks and compiles src/ into `out`. */
async function compile(out) {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const child = spawn(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', out, '--noEmitOnError'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (said += text));
  const status = await new Promise((done) => child.once('close', done));
  if (status !== 0) {
    const count = said.split('\n').filter((line) => line.includes('error TS')).length;
    throw new BuildFailure(`${said.trimEnd()}\n${count} type error${count === 1 ? '' : 's'}; nothing was built.`);
  }
}

/** Bundles the page and its fonts into `out`. */
async function buildPage(out) {
  const { build } = await import('esbuild');
  await mkdir(join(out, 'fonts'), { recursive: true });
  try {
    await build({
      entryPoints: { page: join(pageSource, 'main.tsx') },
      outdir: out,
      bundle: true,
      minify: true,
      format: 'esm',
      target: ['es2021', 'chrome100', 'firefox100', 'safari15'],
      jsx: 'automatic',
      jsxImportSource: 'preact',
      legalComments: 'none',
      logLevel: 'silent',
      absWorkingDir: root,
    });
  } catch (cause) {
    const errors = cause?.errors ?? [];
    if (errors.length === 0) throw cause;
    const lines = errors.map((error) => `${error.location ? `${error.location.file}:${error.location.line}: ` : ''}${error.text}`);
    throw new BuildFailure(`The page does not bundle:\n${lines.join('\n')}`);
  }
  await Promise.all([...['index.html', 'icon.svg', 'page.css'].map((name) => cp(join(pageSource, name), join(out, name))), copyFonts(out)]);
}

/** Font faces the page uses: Chinese by Unicode ranges, so that a browser loads only the few it needs. */
const faces = [
  { package: '@fontsource/noto-sans-sc', style: '400.css' },
  { package: '@fontsource/noto-sans-sc', style: '700.css' },
  { package: '@fontsource/barlow-condensed', style: 'latin-500.css' },
  { package: '@fontsource/barlow-condensed', style: 'latin-600.css' },
  { package: '@fontsource/barlow-condensed', style: 'latin-700.css' },
];

async function copyFonts(out) {
  const sheets = [];
  const files = new Set();
  for (const face of faces) {
    const folder = join(root, 'node_modules', face.package);
    if (!(await exists(face.package))) throw new BuildFailure(`The font ${face.package} is missing; run npm ci.`);
    const sheet = await readFile(join(folder, face.style), 'utf8');
    sheets.push(
      sheet
        // woff2 alone: every browser the page targets reads it.
        .replace(/,\s*url\([^)]*\.woff\)\s*format\('woff'\)/gu, '')
        .replace(/url\(\.\/files\/([^)]+)\)/gu, (_, name) => {
          files.add(join(folder, 'files', name));
          return `url(./fonts/${name})`;
        })
        .replace(/\/\*[^*]*\*\/\s*/gu, '')
        .replace(/\s*\n\s*/gu, ''),
    );
  }
  await writeFile(join(out, 'fonts.css'), sheets.join('\n'));
  await Promise.all([...files].map((file) => cp(file, join(out, 'fonts', file.slice(file.lastIndexOf('/') + 1)))));
}

/** Copies what is neither TypeScript nor the page: examples, schemas, sounds. */
async function copyAssets(out) {
  const source = join(root, 'src');
  const entries = await readdir(source, { recursive: true, withFileTypes: true });
  await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => !['.ts', '.tsx', '.mts'].includes(extname(file)) && !file.startsWith(`${pageSource}/`))
      .map((file) => cp(file, join(out, relative(source, file)))),
  );
}

/** Puts the finished build in place of the old one; an unfinished build never stands there. */
async function swapIn(fresh, final) {
  const old = `${final}.old-${process.pid}`;
  if (existsSync(final)) await rename(final, old);
  await rename(fresh, final);
  await rm(old, { recursive: true, force: true });
}

/** Changes when a source, the build or a dependency changes; names, sizes and times are enough and take milliseconds. */
async function fingerprint() {
  const sources = await readdir(join(root, 'src'), { recursive: true, withFileTypes: true });
  const files = [
    ...sources.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)),
    ...['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts/build.mjs'].map((name) => join(root, name)),
  ].sort();
  const facts = await Promise.all(files.map(async (file) => [relative(root, file), await stat(file).then(({ size, mtimeMs }) => [size, mtimeMs], () => null)]));
  return createHash('sha256').update(JSON.stringify([process.versions.node, facts])).digest('hex');
}

async function main() {
  const { values } = parseArgs({ options: { force: { type: 'boolean', default: false }, 'page-only': { type: 'boolean', default: false }, out: { type: 'string' }, help: { type: 'boolean', default: false } } });
  if (values.help) {
    process.stdout.write('usage: node scripts/build.mjs [--force] [--page-only] [--out DIR]\n');
    return;
  }
  const out = resolve(values.out ?? join(root, 'dist'));
  const startedAt = performance.now();
  // npm 10 runs `prepare` before every `npx gatectl`; a command must neither wait for a build nor replace a running gate's code.
  if (process.env.npm_command === 'exec' && existsSync(join(out, 'cli.js'))) return;
  for (const tool of ['typescript', 'esbuild', 'preact']) {
    if (await exists(tool)) continue;
    // `npm ci --omit=dev` runs this script too; an installation that came with its dist/ needs no build.
    if (existsSync(join(out, 'cli.js'))) {
      process.stdout.write(`build: ${tool} is not installed, the existing ${relative(root, out)}/ stays as it is\n`);
      return;
    }
    throw new BuildFailure(`${tool} is not installed; run npm ci (with development packages) first.`);
  }
  if (values['page-only']) {
    await buildPage(out);
  } else {
    await mkdir(dirname(out), { recursive: true });
    const stamp = await fingerprint();
    const last = await readFile(join(out, stampName), 'utf8').catch(() => '');
    if (!values.force && last === stamp) {
      process.stdout.write(`build: ${relative(root, out) || out} is up to date\n`);
      return;
    }
    // Beside the final folder: a rename must not cross file systems, and source maps keep their relative paths.
    const fresh = await mkdtemp(`${out}.building-`);
    await chmod(fresh, 0o755);
    try {
      const steps = await Promise.allSettled([compile(fresh), buildPage(join(fresh, 'web', 'page')), copyAssets(fresh)]);
      const failed = steps.find((step) => step.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      await writeFile(join(fresh, stampName), stamp);
      await swapIn(fresh, out);
    } finally {
      await rm(fresh, { recursive: true, force: true });
    }
  }
  process.stdout.write(`build: ${relative(root, out) || out} in ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
}

try {
  await main();
} catch (cause) {
  process.stderr.write(cause instanceof BuildFailure ? `build: ${cause.message}\n` : `build: ${cause?.stack ?? String(cause)}\n`);
  process.exitCode = 1;
}
