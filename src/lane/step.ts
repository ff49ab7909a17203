import type { JsonObject } from '../base/index.js';
import type { LaneEffect } from './effect.js';
import type { Boom, LaneState, Latched, Passage } from './state.js';
import type { AttentionCode, LaneEvent } from './types.js';

/** One call of the reducer under way: the state so far and the effects so far. States themselves never change. */
export interface Step {
  state: LaneState;
  readonly effects: LaneEffect[];
  readonly nowMs: number;
}

export function patch(step: Step, change: Partial<LaneState>): void {
  step.state = { ...step.state, ...change };
}

export function patchBoom(step: Step, change: Partial<Boom>): void {
  patch(step, { boom: { ...step.state.boom, ...change } });
}

export function patchPassage(step: Step, key: string, change: Partial<Passage>): void {
  patch(step, { passages: step.state.passages.map((passage) => (passage.key === key ? { ...passage, ...change } : passage)) });
}

/** Next passage key, request or token; one row of numbers for all. */
export function takeSerial(step: Step): number {
  const { serial } = step.state;
  patch(step, { serial: serial + 1 });
  return serial;
}

export function journal(step: Step, type: LaneEvent['type'], payload: JsonObject, passage: string | null = null, token: number | null = null): void {
  const event: LaneEvent = passage === null ? { type, payload } : { type, passage, payload };
  step.effects.push({ kind: 'journal', event, token });
}

export function latch(step: Step, code: AttentionCode, detail: string): void {
  const kept: readonly Latched[] = step.state.latched.filter((other) => other.code !== code);
  patch(step, { latched: [...kept, { code, detail }] });
}

export function unlatch(step: Step, ...codes: readonly AttentionCode[]): void {
  if (step.state.latched.some((other) => codes.includes(other.code))) {
    patch(step, { latched: step.state.latched.filter((other) => !codes.includes(other.code)) });
  }
}
