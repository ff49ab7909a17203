#!/usr/bin/env node
// The package's command. A fresh checkout has no dist/ yet; it is built on the first call, so that `npx gatectl` works
// right after `npm ci` with or without its install scripts.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const command = join(root, 'dist', 'cli.js');

if (!existsSync(command)) {
  process.stderr.write('gatectl: building once …\n');
  // The build's words go to stderr: stdout belongs to the command and its --json.
  const built = spawnSync(process.execPath, [join(root, 'scripts', 'build.mjs')], { cwd: root, stdio: ['ignore', 2, 2] });
  if (built.status !== 0) {
    process.stderr.write('gatectl: the build failed (see above). Run `npm ci` in the checkout, then try again.\n');
    process.exit(1);
  }
}
await import(pathToFileURL(command).href);
