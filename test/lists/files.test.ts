import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ListFiles } from '../../src/lists/files.js';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'laurel-list-files-'));
  folders.push(made);
  return made;
}

const text = (version: number): Buffer => Buffer.from(`{"kind":"blocked","plate":"京A0000${version}","reason":"r"}\n`);
const head = (version: number) => ({ version, digest: createHash('sha256').update(text(version)).digest('hex'), merged: [] });
const none = (): void => undefined;

describe('lists on disk', () => {
  it('that cannot be looked for are no reason to say that there is none', () => {
    const parent = folder();
    expect(new ListFiles(join(parent, 'lists')).newest(none)).toBeUndefined();
    symlinkSync('lists', join(parent, 'lists'));
    expect(() => new ListFiles(join(parent, 'lists')).newest(none)).toThrow(/ELOOP/u);
  });

  it('of which the newest is damaged and cannot be put aside fall back to the one before', () => {
    const directory = join(folder(), 'lists');
    const files = new ListFiles(directory);
    files.write(head(1), text(1));
    files.write(head(2), text(2));
    writeFileSync(join(directory, 'list-2.jsonl'), 'torn');
    // Something stands where it would go.
    mkdirSync(join(directory, 'damaged.jsonl', 'full'), { recursive: true });
    const damaged: string[] = [];
    expect(files.newest((file) => damaged.push(file))?.head.version).toBe(1);
    expect(damaged).toEqual(['list-2.jsonl']);
    expect(readdirSync(directory)).toContain('list-2.jsonl');
    expect(existsSync(join(directory, 'damaged.jsonl', 'full'))).toBe(true);
  });
});
