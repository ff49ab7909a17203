import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { silentLog } from '../../src/base/index.js';
import { loadModels, shippedModels } from '../../src/vision/index.js';

const root = mkdtempSync(join(tmpdir(), 'laurel-models-'));
let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(root, 'site-'));
  cpSync(shippedModels(), directory, { recursive: true });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Edit = (manifest: Record<string, Record<string, unknown>>) => void;
const anyManifest = z.record(z.string(), z.looseObject({}).catch({}));

function edit(change: Edit): void {
  const path = join(directory, 'manifest.json');
  const manifest = anyManifest.parse(JSON.parse(readFileSync(path, 'utf8')));
  change(manifest);
  writeFileSync(path, JSON.stringify({ ...manifest, version: '1' }));
}

const load = async (directories: readonly string[]): Promise<Awaited<ReturnType<typeof loadModels>>> => loadModels({ directories, threads: 1, log: silentLog });

describe('a site’s own models', () => {
  it('are taken where they fit their manifest', async () => {
    const { models, refused } = await load([directory, shippedModels()]);
    expect(models.directory).toBe(directory);
    expect(refused).toEqual([]);
    await models.close();
  });

  it('that were changed after they were exported are refused, and the shipped ones stay', async () => {
    writeFileSync(join(directory, 'reader.onnx'), Buffer.concat([readFileSync(join(directory, 'reader.onnx')), Buffer.from([0])]));
    const { models, refused } = await load([directory, shippedModels()]);
    expect(models.directory).toBe(shippedModels());
    expect(refused[0]?.reason).toMatch(/MODEL_INVALID: The reader .*reader\.onnx is not the file its manifest names/u);
    await models.close();
  });

  it.each<[string, Edit, RegExp]>([
    ['names an output the network lacks', (m) => void (m['detector'] = { ...m['detector'], outputs: { score: 'heat', corners: 'corners' } }), /The detector lacks the outputs heat; it has score, corners/u],
    ['says another input size', (m) => void (m['reader'] = { ...m['reader'], input: { ...Object(m['reader']?.['input']), width: 160 } }), /The reader refuses an input of shape \[2,3,48,160\]/u],
    ['says another stride', (m) => void (m['detector'] = { ...m['detector'], stride: 16 }), /The detector's output "score" has the shape/u],
    ['lacks a province', (m) => void (m['reader'] = { ...m['reader'], alphabet: ['', ...Array.from('ABCDEFGHJKLMNPQRSTUVWXYZ0123456789京津冀')] }), /lacks the provinces 晋/u],
    ['leaves out the calibration', (m) => void (m['reader'] = { ...m['reader'], calibration: {} }), /reader\.calibration\.points/u],
    ['points outside its directory', (m) => void (m['detector'] = { ...m['detector'], file: '../detector.onnx' }), /detector\.file: a file name beside the manifest/u],
  ])('whose manifest %s are refused with what is wrong', async (_what, change, message) => {
    edit(change);
    await expect(load([directory])).rejects.toThrow(message);
  });

  it('that are no network at all are refused', async () => {
    const junk = Buffer.from('this is no network');
    writeFileSync(join(directory, 'detector.onnx'), junk);
    edit((m) => void (m['detector'] = { ...m['detector'], bytes: junk.length, sha256: createHash('sha256').update(junk).digest('hex') }));
    await expect(load([directory])).rejects.toThrow(/MODEL_INVALID: The detector is no network that ONNX Runtime can run/u);
  });

  it('that are missing are refused with where they were looked for', async () => {
    await expect(load([join(root, 'nowhere')])).rejects.toThrow(/MODEL_INVALID: There are no models: .*nowhere/u);
  });
});
