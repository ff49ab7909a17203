import type { Batch, Moment, ThreadOptions } from '../../src/journal/protocol.js';

/** The journal without its thread, for failures at one moment of its work. */
export const atRest = (directory: string, more: Partial<ThreadOptions> = {}): ThreadOptions => ({
  directory,
  gateId: 'east-gate',
  client: 'test',
  epoch: undefined,
  moment: { wallMs: 1_767_225_600_000, monoMs: 1_000, clockTrusted: true },
  firstEpoch: 'one',
  retention: { eventsDays: 365, eventsMB: 1_000, photographsDays: 30, platePicturesDays: 30, photographsMB: 100 },
  ballastBytes: 0,
  endBackup: new Int32Array(new SharedArrayBuffer(4)),
  exclusive: false,
  ...more,
});

let batches = 0;

export function batchOf(count: number, moment: Moment = atRest('').moment): Batch {
  batches += 1;
  return { number: batches, moment, unstored: 0, writes: Array.from({ length: count }, (_, number) => ({ op: 'append', type: 'passage.read', lane: 'entry', passage: `p-${number}`, payloadText: `{"number":${number}}`, ...moment })) };
}
