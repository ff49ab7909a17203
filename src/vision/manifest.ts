import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { GateError, errorText } from '../base/index.js';
import { PROVINCES } from '../plate/index.js';

const fileName = z
  .string()
  .min(1)
  .refine((name) => basename(name) === name, 'a file name beside the manifest, without a path');

const modelFile = {
  file: fileName,
  sha256: z.string().regex(/^[0-9a-f]{64}$/u, 'SHA-256 as 64 lower-case hexadecimal digits'),
  bytes: z.number().int().positive(),
};

/** How a network takes its pictures: its name for them, their order in memory, and their values. */
const input = {
  name: z.string().min(1),
  layout: z.enum(['NCHW', 'NHWC']),
  channels: z.enum(['RGB', 'BGR']),
  scale: z.number().positive().describe('factor from 0..255 to the input, 1/255 for 0..1'),
  mean: z.tuple([z.number(), z.number(), z.number()]).optional().describe('taken off each channel after scaling, in the order of channels'),
  std: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]).optional().describe('each channel is then divided by it'),
};

const plateColours = ['blue', 'green', 'yellow', 'white', 'black'] as const;

/** What `manifest.json` beside the models says; unknown keys are kept for people and not looked at. */
export const manifestSchema = z.looseObject({
  version: z.union([z.string().min(1), z.number()]),
  detector: z.looseObject({
    ...modelFile,
    input: z.looseObject({
      ...input,
      longSide: z.number().int().min(64).max(4_096),
      multiple: z.number().int().min(1).max(256),
      padValue: z.number().min(0).max(255).describe('gray of the padding, 0 to 255'),
    }),
    outputs: z.looseObject({ score: z.string().min(1), corners: z.string().min(1) }),
    stride: z.number().int().min(1).max(64),
    threshold: z.number().min(0.01).max(0.99),
    nmsIou: z.number().min(0).max(1),
  }),
  reader: z.looseObject({
    ...modelFile,
    input: z.looseObject({
      ...input,
      width: z.number().int().min(16).max(1_024),
      height: z.number().int().min(16).max(512),
      margin: z.number().min(0).max(64),
    }),
    outputs: z.looseObject({
      characters: z.string().min(1),
      class: z.string().min(1).optional().describe('without it the colour follows from the text'),
      rows: z.string().min(1).optional().describe('without it every plate counts as one row'),
      corners: z.string().min(1).optional().describe('how far off the corners of the crop are'),
    }),
    decoding: z.enum(['slots', 'ctc']).default('slots').describe('slots: one distribution for each place of the text; ctc: one for each step from left to right'),
    ctc: z
      .looseObject({
        layout: z.enum(['NTA', 'NAT']).default('NTA').describe('[plates, steps, alphabet] or [plates, alphabet, steps]'),
        blank: z.number().int().min(0).default(0).describe('place of the blank in the alphabet'),
        logits: z.boolean().default(false).describe('true where the network ends without a softmax'),
      })
      .optional(),
    slots: z.number().int().min(7).max(16).default(9).describe('characters of the longest text'),
    alphabet: z.array(z.string().max(1)).min(32).describe('in the order of the output; the blank is "", and at index 0 unless ctc.blank says otherwise'),
    classes: z.array(z.enum(plateColours)).min(1),
    calibration: z.looseObject({
      points: z
        .array(z.tuple([z.number().min(0).max(1), z.number().min(0).max(1)]))
        .min(2)
        .refine((points) => points.every((point, at) => at === 0 || point[0] >= (points[at - 1]?.[0] ?? 0)), 'raw confidences in rising order'),
    }),
  }),
});

export type Manifest = z.output<typeof manifestSchema>;

export interface ModelFiles {
  readonly directory: string;
  /** The manifest as it is written. */
  readonly text: string;
  readonly manifest: Manifest;
  readonly detector: Uint8Array;
  readonly reader: Uint8Array;
}

const invalid = (message: string, context: Readonly<Record<string, unknown>> = {}, cause?: unknown): GateError => new GateError('MODEL_INVALID', message, context, cause);

function parseManifest(text: string, path: string): Manifest {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    throw invalid(`${path} is not JSON: ${errorText(error)}. Export the models again.`, { path }, error);
  }
  const parsed = manifestSchema.safeParse(raw);
  if (!parsed.success) {
    const faults = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw invalid(`${path} does not describe the models: ${faults.join('; ')}. Export the models again or correct it.`, { path, faults });
  }
  const { alphabet, decoding, ctc } = parsed.data.reader;
  if (decoding === 'ctc' && ctc === undefined) throw invalid(`${path}: reader.decoding is "ctc", so reader.ctc must say at least {"blank": 0}, the place of the blank in the alphabet.`, { path });
  const blank = decoding === 'ctc' ? (ctc?.blank ?? 0) : 0;
  if (alphabet[blank] !== '') throw invalid(`${path}: reader.alphabet[${blank}] must be the blank "", but is ${JSON.stringify(alphabet[blank])}.`, { path });
  const missing = Array.from(PROVINCES).filter((province) => !alphabet.includes(province));
  if (missing.length > 0) throw invalid(`${path}: reader.alphabet lacks the provinces ${missing.join('')}; such a reader cannot read their cars.`, { path });
  if (new Set(alphabet).size !== alphabet.length) throw invalid(`${path}: reader.alphabet holds a character twice.`, { path });
  return parsed.data;
}

async function readModel(directory: string, what: string, entry: { readonly file: string; readonly sha256: string; readonly bytes: number }): Promise<Uint8Array> {
  const path = join(directory, entry.file);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw invalid(`The ${what} ${path} cannot be read: ${errorText(error)}. Copy it beside the manifest.`, { path }, error);
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (bytes.length !== entry.bytes || sha256 !== entry.sha256) {
    throw invalid(
      `The ${what} ${path} is not the file its manifest names: ${bytes.length} bytes with SHA-256 ${sha256}, expected ${entry.bytes} bytes with ${entry.sha256}. Copy manifest and models together.`,
      { path, bytes: bytes.length, sha256 },
    );
  }
  return bytes;
}

/** Reads a directory's manifest and models and checks them against each other. Throws `MODEL_INVALID`. */
export async function readModelFiles(directory: string): Promise<ModelFiles> {
  const path = join(directory, 'manifest.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw invalid(`There are no models: ${path} cannot be read (${errorText(error)}). Name a directory with manifest.json under vision.models, or leave it out for the shipped models.`, { path }, error);
  }
  const manifest = parseManifest(text, path);
  const [detector, reader] = await Promise.all([readModel(directory, 'detector', manifest.detector), readModel(directory, 'reader', manifest.reader)]);
  return { directory, text, manifest, detector, reader };
}
