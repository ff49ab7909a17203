import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLog, type Quad } from '../../src/base/index.js';
import { PROVINCES } from '../../src/plate/index.js';
import { Recognizer, loadModels, shippedModels, type LoadedModels } from '../../src/vision/index.js';
import { tinyDetector, tinyReader, type TinyDetector, type TinyReader } from '../support/tiny-network.js';

const root = mkdtempSync(join(tmpdir(), 'laurel-own-models-'));
let site = '';
let kept = '';
beforeEach(() => {
  site = mkdtempSync(join(root, 'site-'));
  kept = join(root, `kept-${site.slice(-6)}`);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const letters = `${PROVINCES}ABCDEFGHJKLMNPQRSTUVWXYZ0123456789`;
const alphabet = ['', ...Array.from(letters)];
type Answer = TinyReader['characters'][number];

/** What a place answers that surely shows this character. */
const surely = (char: string, among: readonly string[] = alphabet): Answer => among.map((each) => ({ bias: each === char ? 0.99 : 0.01 / among.length }));
const spelling = (text: string, places = 8): TinyReader['characters'] => Array.from({ length: places }, (_, at) => surely(Array.from(text)[at] ?? ''));

interface Shipment {
  readonly detector?: TinyDetector;
  readonly reader?: Partial<TinyReader>;
  /** Changes to the manifest's reader, merged; `input` and `outputs` too. */
  readonly says?: { readonly [key: string]: unknown; readonly input?: object; readonly outputs?: object };
  /** Changes to the manifest's detector. */
  readonly saysOfDetector?: { readonly [key: string]: unknown; readonly input?: object; readonly outputs?: object };
  readonly version?: string;
}

/** Puts models and their manifest into the site's directory, as their maker would. */
function ship({ detector = {}, reader = {}, says = {}, saysOfDetector = {}, version = '1' }: Shipment = {}): void {
  const files = { detector: tinyDetector(detector), reader: tinyReader({ characters: spelling('京QM86H8'), ...reader }) };
  const described = (name: 'detector' | 'reader'): object => ({ file: `${name}.onnx`, bytes: files[name].length, sha256: createHash('sha256').update(files[name]).digest('hex') });
  const picture = { layout: 'NCHW', channels: 'RGB', scale: 1 / 255 };
  const manifest = {
    version,
    detector: {
      ...described('detector'),
      stride: 8,
      threshold: 0.3,
      nmsIou: 0.3,
      ...saysOfDetector,
      input: { name: 'image', ...picture, longSide: 320, multiple: 32, padValue: 114, ...saysOfDetector.input },
      outputs: { score: 'score', corners: 'corners', ...saysOfDetector.outputs },
    },
    reader: {
      ...described('reader'),
      slots: 8,
      alphabet,
      classes: ['blue', 'green', 'yellow', 'white', 'black'],
      calibration: { points: [[0, 0], [1, 1]] },
      ...says,
      input: { name: 'plates', ...picture, width: 128, height: 48, margin: 4, ...says.input },
      outputs: { characters: 'characters', class: 'class', rows: 'rows', ...says.outputs },
    },
  };
  mkdirSync(site, { recursive: true });
  writeFileSync(join(site, 'detector.onnx'), files.detector);
  writeFileSync(join(site, 'reader.onnx'), files.reader);
  writeFileSync(join(site, 'manifest.json'), JSON.stringify(manifest));
}

const load = (): Promise<LoadedModels> => loadModels({ directories: [site, shippedModels()], lastGood: kept, threads: 1, log: silentLog });
const where: Quad = [[10, 10], [50, 10], [50, 25], [10, 25]];

/** What the site's reader makes of a plate of one colour. */
async function readOf(colour: readonly [number, number, number]): Promise<{ readonly text: string | undefined; readonly confidence: number | undefined; readonly colour: string | undefined; readonly rows: number | undefined }> {
  const { models, refused } = await load();
  expect(refused).toEqual([]);
  expect(models.directory).toBe(site);
  const recognizer = new Recognizer(models);
  const data = Uint8Array.from({ length: 64 * 40 * 3 }, (_, at) => colour[at % 3] ?? 0);
  const [reading] = await recognizer.read({ data, width: 64, height: 40 }, [where]);
  await recognizer.close();
  return { text: reading?.read?.text, confidence: reading?.read?.confidence, colour: reading?.read?.colour, rows: reading?.read?.rows };
}

async function refusal(): Promise<string> {
  const { models, refused } = await load();
  expect(models.directory).toBe(shippedModels());
  await models.close();
  return refused[0]?.reason ?? '';
}

describe('a site’s own reader', () => {
  it('with slots is used as its manifest says', async () => {
    ship();
    expect(await readOf([0, 0, 0])).toMatchObject({ text: '京QM86H8', colour: 'blue', rows: 1 });
  });

  // 京 by the first channel it is shown, 沪 by the third
  const byChannel: TinyReader['characters'] = [
    alphabet.map((char) => (char === '京' ? { bias: 0, weights: [1, 0, 0] } : char === '沪' ? { bias: 0, weights: [0, 0, 1] } : { bias: 0 })),
    ...spelling('QM86H8', 7),
  ];

  it.each<[string, Partial<TinyReader>, object, string, number]>([
    ['planes of red, green and blue', {}, {}, '京QM86H8', 0.8],
    ['blue first', {}, { channels: 'BGR' }, '沪QM86H8', 0.8],
    ['pixel by pixel', { layout: 'NHWC' }, { layout: 'NHWC' }, '京QM86H8', 0.8],
    ['pixel by pixel, blue first', { layout: 'NHWC' }, { layout: 'NHWC', channels: 'BGR' }, '沪QM86H8', 0.8],
    ['less a mean and by a deviation', {}, { mean: [0.5, 0, 0], std: [0.5, 1, 1] }, '京QM86H8', 0.6],
    ['on another scale', {}, { scale: 1 / 510 }, '京QM86H8', 0.4],
  ])('that takes its pictures as %s gets them so', async (_how, reader, input, text, share) => {
    ship({ reader: { characters: byChannel, ...reader }, says: { input } });
    const read = await readOf([204, 0, 0]);
    expect(read.text).toBe(text);
    expect(read.confidence).toBeCloseTo(share * 0.99 ** 7, 3);
  });

  const steps = (text: string, among: readonly string[] = alphabet): TinyReader['characters'] => Array.from(text, (char) => surely(char === '-' ? '' : char, among));
  const ctc = { decoding: 'ctc', ctc: { blank: 0 } };

  it('of the CTC kind is read along its steps: repeats are one character unless a blank lies between', async () => {
    ship({ reader: { characters: steps('--京京-QMM-8-66H-88--'), others: { class: 5, rows: 2 } }, says: ctc });
    expect((await readOf([0, 0, 0])).text).toBe('京QM86H8');
    ship({ reader: { characters: steps('京A-1-1-1-1-1') }, says: ctc });
    expect((await readOf([0, 0, 0])).text).toBe('京A11111');
  });

  it('of the CTC kind may have its blank last, its steps last, and neither class nor rows: then the text tells the colour', async () => {
    const own = [...Array.from(letters), ''];
    ship({
      reader: { characters: steps('-京--AADD-1-2-3-4-5-', own), placesLast: true, others: {} },
      says: { decoding: 'ctc', ctc: { blank: own.length - 1, layout: 'NAT' }, alphabet: own, slots: 9, outputs: { class: undefined, rows: undefined } },
    });
    expect(await readOf([0, 0, 0])).toMatchObject({ text: '京AD12345', colour: 'green', rows: 1 });
  });

  it('of the CTC kind may end without a softmax', async () => {
    const logits = Array.from('京QM86H8', (char): Answer => alphabet.map((each) => ({ bias: each === char ? 12 : 0 })));
    ship({ reader: { characters: logits }, says: { decoding: 'ctc', ctc: { blank: 0, logits: true } } });
    const read = await readOf([0, 0, 0]);
    expect(read.text).toBe('京QM86H8');
    expect(read.confidence).toBeGreaterThan(0.99);
    expect(read.confidence).toBeLessThanOrEqual(1);
  });

  it('of the CTC kind that shows only blanks reads nothing', async () => {
    ship({ reader: { characters: steps('----------') }, says: ctc });
    expect((await readOf([0, 0, 0])).text).toBeUndefined();
  });
});

describe('models that do not fit their manifest are refused, with what is wrong and what to do', () => {
  it.each<[string, Shipment, RegExp]>([
    ['another digest', { says: { sha256: '0'.repeat(64) } }, /reader\.onnx is not the file its manifest names.*Copy manifest and models together/u],
    ['another input’s name', { detector: { input: 'frame' } }, /The detector takes \["frame"\], its manifest names the one input "image"\. Correct input\.name/u],
    ['another type of input', { detector: { type: 'float64' } }, /The detector takes float64 of 4 dimensions; pictures are float32 of four/u],
    ['another order of its input', { reader: { layout: 'NHWC' } }, /The reader refuses an input of shape \[2,3,48,128\]/u],
    ['another size of its input', { reader: { width: 96 } }, /The reader refuses an input of shape \[2,3,48,128\]/u],
    ['a missing output', { reader: { others: { class: 5 } } }, /The reader lacks the outputs rows; it has characters, class\. Export model and manifest together/u],
    ['an output of another type', { reader: { type: 'float64' } }, /The reader's output "characters" is of the type float64 and must be float32/u],
    ['another stride', { detector: { stride: 16 } }, /The detector's output "score" has the shape \[1,2,6,4\], its manifest implies \[1,2,12,8\]/u],
    ['fewer slots', { says: { slots: 9 } }, /The reader's output "characters" has the shape \[2,8,66\], its manifest implies \[2,9,66\]/u],
    ['a shorter alphabet', { says: { alphabet: alphabet.slice(0, -1) } }, /has the shape \[2,8,66\], its manifest implies \[2,8,65\]/u],
    ['another number of colours', { reader: { others: { class: 4, rows: 2 } } }, /The reader's output "class" has the shape \[2,4\], its manifest implies \[2,5\]/u],
    ['corners of another size', { reader: { others: { class: 5, rows: 2, corners: 4 } }, says: { outputs: { corners: 'corners' } } }, /The reader's output "corners" has the shape \[2,4\], its manifest implies \[2,8\]/u],
    ['steps and alphabet exchanged', { says: { decoding: 'ctc', ctc: { layout: 'NAT' } } }, /has the shape \[2,8,66\], its manifest implies \[2,66,-1\]/u],
    ['no place for the blank', { says: { decoding: 'ctc' } }, /reader\.decoding is "ctc", so reader\.ctc must say at least \{"blank": 0\}/u],
    ['a blank elsewhere', { says: { decoding: 'ctc', ctc: { blank: 3 } } }, /reader\.alphabet\[3\] must be the blank "", but is "冀"/u],
    ['a decoding nobody knows', { says: { decoding: 'beam' } }, /reader\.decoding/u],
    ['a layout nobody knows', { says: { input: { layout: 'CHWN' } } }, /reader\.input\.layout/u],
    ['a deviation of nothing', { saysOfDetector: { input: { std: [1, 0, 1] } } }, /detector\.input\.std\.1/u],
  ])('%s', async (_what, shipment, message) => {
    ship(shipment);
    const reason = await refusal();
    expect(reason).toMatch(/^MODEL_INVALID: /u);
    expect(reason).toMatch(message);
  });
});

describe('the models that last fitted', () => {
  it('stay in use when the site’s are replaced by ones that do not fit, at every start', async () => {
    ship({ version: 'good' });
    await (await load()).models.close();
    ship({ version: 'bad', detector: { stride: 16 } });
    for (let start = 0; start < 2; start += 1) {
      const { models, refused } = await load();
      expect(models.manifest.version).toBe('good');
      expect(models.directory).toBe(kept);
      expect(refused.map(({ directory }) => directory)).toEqual([site]);
      await models.close();
    }
  });

  it('give way to better ones, which are then kept', async () => {
    ship({ version: 'good' });
    await (await load()).models.close();
    ship({ version: 'better', reader: { characters: spelling('沪A12345') } });
    const { models } = await load();
    expect([models.manifest.version, models.directory]).toEqual(['better', site]);
    await models.close();
    rmSync(site, { recursive: true });
    const after = await load();
    expect(after.models.manifest.version).toBe('better');
    await after.models.close();
  });

  it('are passed over for the shipped ones where they are damaged too, and nothing is said of them before there are any', async () => {
    ship({ detector: { stride: 16 } });
    const before = await load();
    expect(before.refused).toHaveLength(1);
    await before.models.close();
    ship();
    await (await load()).models.close();
    writeFileSync(join(kept, 'reader.onnx'), 'half');
    ship({ detector: { stride: 16 } });
    const { models, refused } = await load();
    expect(models.directory).toBe(shippedModels());
    expect(refused.map(({ directory }) => directory)).toEqual([site, kept]);
    await models.close();
  });

  it('are not needed for the site’s to be used: a disk that takes no copy is no reason to refuse them', async () => {
    ship();
    writeFileSync(kept, 'a file where the directory should be');
    const { models } = await loadModels({ directories: [site, shippedModels()], lastGood: join(kept, 'models'), threads: 1, log: silentLog });
    expect(models.directory).toBe(site);
    expect(existsSync(join(kept, 'models'))).toBe(false);
    await models.close();
  });
});
