import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ModelFiles } from './manifest.js';

async function writeDurably(path: string, bytes: Uint8Array | string): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Keeps a copy of models that were found to fit, for the day on which somebody replaces them by ones that do not. The
 * manifest is written last and holds the digests, so that a copy broken off by a power cut is not taken for a whole one.
 * Rejects with the system's error where it cannot be written.
 */
export async function keepLastGood({ text, manifest, detector, reader }: ModelFiles, into: string): Promise<void> {
  const known = await readFile(join(into, 'manifest.json'), 'utf8').catch(() => undefined);
  if (known === text) return;
  await mkdir(dirname(into), { recursive: true });
  const fresh = `${into}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh);
  await writeDurably(join(fresh, manifest.detector.file), detector);
  await writeDurably(join(fresh, manifest.reader.file), reader);
  await writeDurably(join(fresh, 'manifest.json'), text);
  await rm(into, { recursive: true, force: true });
  await rename(fresh, into);
}
