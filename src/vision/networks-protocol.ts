import type { Log } from '../base/index.js';
import type { LoadOptions, Models } from './models.js';
import type { Manifest } from './manifest.js';
import type { ReaderOutput } from './read.js';

/** What the networks' thread is started with. */
export type NetworksOptions = Omit<LoadOptions, 'log'>;

export type NetworkRun =
  | { readonly network: 'detector'; readonly input: Float32Array<ArrayBuffer>; readonly width: number; readonly height: number }
  | { readonly network: 'reader'; readonly input: Float32Array<ArrayBuffer>; readonly count: number };

export type NetworkOutput = { readonly network: 'detector'; readonly output: Awaited<ReturnType<Models['detect']>> } | { readonly network: 'reader'; readonly output: ReaderOutput };

export type ToNetworks = { readonly kind: 'run'; readonly run: NetworkRun } | { readonly kind: 'close' };

/** Runs are answered one by one, in their order. */
export type FromNetworks =
  | { readonly kind: 'ready'; readonly directory: string; readonly manifest: Manifest; readonly bytes: number; readonly refused: readonly { readonly directory: string; readonly reason: string }[] }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'done'; readonly result: NetworkOutput }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'log'; readonly level: keyof Log; readonly facts: object; readonly message: string };

const hasKind = (message: unknown): boolean => typeof message === 'object' && message !== null && 'kind' in message;

/** Both ends are of one build and of one process. */
export const isToNetworks = (message: unknown): message is ToNetworks => hasKind(message);
export const isFromNetworks = (message: unknown): message is FromNetworks => hasKind(message);
export const isNetworksOptions = (value: unknown): value is NetworksOptions => typeof value === 'object' && value !== null && 'directories' in value && 'threads' in value;
