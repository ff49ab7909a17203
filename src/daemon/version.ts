import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** Version of this software, from package.json two folders up (both from the sources and from `dist/`). */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}
