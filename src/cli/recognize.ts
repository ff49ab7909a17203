import { GateError, errorText } from '../base/index.js';
import type { PictureResult, RecognizeResult, VideoResult } from '../vision/index.js';
import { exitStatus } from './context.js';
import { complain, print } from './output.js';

export interface RecognizeCommandOptions {
  readonly json: boolean;
  readonly annotate: string | undefined;
  readonly models: string | undefined;
  readonly threads: number;
  readonly frames: boolean;
}

/** The documented JSON of one result, one line each. */
function jsonOf(result: RecognizeResult): object {
  if ('error' in result) return { file: result.file, error: result.error };
  if ('frames' in result) return { file: result.file, plates: result.plates, frames: result.frames, ms: result.ms };
  return { file: result.file, ...(result.atMs === undefined ? {} : { atMs: result.atMs }), plates: result.plates, ms: result.ms };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** One result for people. */
function textOf(result: PictureResult | VideoResult): string {
  const at = 'frames' in result || result.atMs === undefined ? '' : ` at ${seconds(result.atMs)}`;
  const lines = result.plates.map((plate) => {
    const rows = plate.rows === 2 ? ', two rows' : '';
    const seen = 'reads' in plate ? `, ${plate.reads} reads from ${seconds(plate.fromMs)} to ${seconds(plate.toMs)}` : '';
    return `  ${plate.text}  ${(plate.confidence * 100).toFixed(1)} %  ${plate.class}${rows}${seen}`;
  });
  const time = 'frames' in result ? `${result.frames} frames in ${seconds(result.ms.total)}` : `${result.ms.total.toFixed(0)} ms`;
  return [`${result.file}${at}  (${time})`, ...(lines.length === 0 ? ['  no plate'] : lines)].join('\n');
}

/** `gatectl recognize FILE…`: reads the plates of pictures and videos; a file that cannot be read fails at the end. */
export async function recognizeCommand(files: readonly string[], options: RecognizeCommandOptions): Promise<number> {
  const { annotate, recognizeFiles } = await import('../vision/index.js');
  let unreadable = 0;
  for await (const result of recognizeFiles(files, { modelsDirectory: options.models, threads: options.threads, frames: options.frames })) {
    if (options.json) print(JSON.stringify(jsonOf(result)));
    if ('error' in result) {
      unreadable += 1;
      if (!options.json) complain(`${result.file}: ${result.error}`);
      continue;
    }
    if (!options.json) print(textOf(result));
    if (options.annotate === undefined || 'frames' in result || result.atMs !== undefined) continue;
    try {
      const written = await annotate(result.file, result, options.annotate);
      if (!options.json) print(`  drawn in ${written}`);
    } catch (cause) {
      throw new GateError('PICTURE_UNREADABLE', `The annotated picture of ${result.file} cannot be written to ${options.annotate}: ${errorText(cause)}. Give a folder you may write to.`, {}, cause);
    }
  }
  if (unreadable > 0 && !options.json) complain(`${unreadable} of ${files.length} files could not be read.`);
  return unreadable > 0 ? exitStatus.failed : exitStatus.ok;
}
