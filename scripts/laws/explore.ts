import type { Decision } from '../../src/access/index.js';
import type { SignalState } from '../../src/base/index.js';
import { LawWatch, initialLane, nextDueMs, reduce, type CommandTarget, type LaneEffect, type LaneInput, type LaneSettings, type LaneState, type SensorName, type Violation } from '../../src/lane/index.js';
import type { LawMemory } from '../../src/lane/laws.js';
import { packState } from './pack.js';
import { unitMs } from './sites.js';

export interface ExploreOptions {
  readonly settings: LaneSettings;
  /** What the law watch goes by, where that is to differ from what the lane believes. */
  readonly judgedBy?: LaneSettings;
  /** Ends early after this many states; the whole space where omitted. */
  readonly mostStates?: number;
  /** Vehicles in the lane at one time; states with more are counted and not followed. */
  readonly mostVehicles?: number;
  /** Commands that may come at any time. */
  readonly targets?: readonly CommandTarget[];
  /** Whether an operator may hold movements, renew them, or let go; he does not where omitted. */
  readonly operator?: boolean;
  /** Whether inputs may turn unreadable or faulty; they do where omitted. */
  readonly unreadable?: boolean;
  /** Faults of outputs and relay boards on one path. */
  readonly mostOutputFaults?: number;
  /** Every so many states that were met before, what can follow is compared with what followed the first of them; never where omitted. */
  readonly checkEvery?: number;
  readonly onProgress?: (states: number, waiting: number) => void;
}

export interface Exploration {
  /** Different states of the lane, of what time has done to it, and of the law watch beside it. */
  readonly states: number;
  /** Inputs tried in all of them. */
  readonly transitions: number;
  /** Steps of the longest shortest way to a state. */
  readonly depth: number;
  /** States with more vehicles than were to be followed. */
  readonly cut: number;
  /** False where `mostStates` ended it. */
  readonly complete: boolean;
  /** States of one packed text that were compared by what follows them. */
  readonly compared: number;
  readonly violations: readonly (Violation & { readonly path: readonly string[] })[];
}

interface Alphabet {
  readonly mostOutputFaults: number;
  readonly targets: readonly CommandTarget[];
  readonly unreadable: boolean;
  readonly operator: boolean;
}

interface Node {
  readonly state: LaneState;
  readonly memory: LawMemory;
  readonly nowMs: number;
  readonly outputFaults: number;
  readonly depth: number;
  readonly from: Node | null;
  readonly input: LaneInput | null;
}

const admit: Decision = { outcome: 'admit', rule: 'resident', visitorClass: 'resident' };
const refuse: Decision = { outcome: 'refuse', rule: 'outside-refuse', visitorClass: 'outside' };

/** Kinds of input that come to a lane from outside whenever they like. */
const signals: Readonly<Record<SensorName, readonly SignalState[]>> = {
  approach: ['on', 'off', 'unknown'],
  closing: ['on', 'off', 'unknown'],
  beam: ['on', 'off', 'fault'],
  openLimit: ['on', 'off', 'unknown'],
  closedLimit: ['on', 'off', 'unknown'],
  fire: ['on', 'off', 'unknown'],
  stop: ['on', 'off', 'unknown'],
  button: ['on', 'off'],
};
const violationsShown = 20;

/**
 * Every order of inputs a small lane can meet, to the end: breadth first from the unread lane, each state once. Time is
 * one of the inputs and goes on by one unit, so that events fall before, at and after every timer. States are the same
 * where they differ only in absolute time, in names and in what is merely shown. Beside the lane runs the law watch, and a
 * violation is told with the shortest way to it.
 */
export function explore(options: ExploreOptions): Exploration {
  const { settings, judgedBy = settings, mostStates = Infinity, mostVehicles = 2, mostOutputFaults = 1, targets = [], unreadable = true, operator = false, checkEvery = 0, onProgress } = options;
  const start: Node = { state: initialLane(settings, 0), memory: new LawWatch(judgedBy).memory, nowMs: 0, outputFaults: 0, depth: 0, from: null, input: null };
  const alphabet: Alphabet = { mostOutputFaults, targets, unreadable, operator };
  const seen = new Set([keyOf(start)]);
  const first = new Map<string, Node>();
  let met = 0;
  let compared = 0;
  const violations: (Violation & { path: readonly string[] })[] = [];
  let frontier: Node[] = [start];
  let transitions = 0;
  let cut = 0;
  let depth = 0;
  let complete = true;
  while (frontier.length > 0 && complete) {
    const next: Node[] = [];
    for (const node of frontier) {
      if (seen.size >= mostStates) {
        complete = false;
        break;
      }
      for (const input of inputsOf(node, alphabet)) {
        transitions += 1;
        const to = follow(node, input, judgedBy, violations);
        const key = keyOf(to);
        if (seen.has(key)) {
          met += 1;
          const same = checkEvery > 0 && met % checkEvery === 0 ? first.get(key) : undefined;
          if (same !== undefined && same.state.passages.length <= mostVehicles) {
            compared += 1;
            const differs = compare(same, to, judgedBy, alphabet);
            if (differs !== null) violations.push({ law: 'S9', atMs: to.nowMs, what: `states taken for one behave differently after ${differs}`, path: [...pathTo(same), '|', ...pathTo(to)] });
          }
          continue;
        }
        seen.add(key);
        if (checkEvery > 0) first.set(key, to);
        if (seen.size % 50_000 === 0) onProgress?.(seen.size, frontier.length + next.length);
        if (to.state.passages.length > mostVehicles) cut += 1;
        else next.push(to);
      }
      if (violations.length >= violationsShown) complete = false;
    }
    if (next.length > 0) depth += 1;
    frontier = next;
  }
  return { states: seen.size, transitions, depth, cut, complete, compared, violations };
}

function keyOf({ state, memory, nowMs, outputFaults }: Node): string {
  return packState(state, memory, nowMs, outputFaults);
}

/** The first input after which two states that were taken for one are told apart; null where there is none. */
function compare(one: Node, other: Node, settings: LaneSettings, alphabet: Alphabet): string | null {
  const kinds = (node: Node): string => inputsOf(node, alphabet).map(describe).join();
  if (kinds(one) !== kinds(other)) return 'nothing';
  const inputs = inputsOf(other, alphabet);
  for (const [index, input] of inputsOf(one, alphabet).entries()) {
    const twin = inputs[index];
    if (twin !== undefined && keyOf(follow(one, input, settings, [])) !== keyOf(follow(other, twin, settings, []))) return describe(input);
  }
  return null;
}

function follow(node: Node, input: LaneInput, settings: LaneSettings, violations: (Violation & { path: readonly string[] })[]): Node {
  const nowMs = input.kind === 'tick' ? node.nowMs + unitMs : node.nowMs;
  const { state, effects } = reduce(node.state, input, nowMs);
  const watch = new LawWatch(settings, node.memory);
  watch.observe(input, effects, nowMs);
  const failed = input.kind === 'output-fault' || (input.kind === 'relay' && !input.available);
  const to: Node = { state, memory: watch.memory, nowMs, outputFaults: node.outputFaults + (failed ? 1 : 0), depth: node.depth + 1, from: node, input };
  for (const violation of watch.violations) violations.push({ ...violation, path: pathTo(to) });
  const again = invariants(to, effects);
  for (const what of again) violations.push({ law: 'S3', atMs: nowMs, what, path: pathTo(to) });
  return to;
}

/** What must hold in each single state, whatever came before. */
function invariants({ state, nowMs }: Node, effects: readonly LaneEffect[]): readonly string[] {
  const broken: string[] = [];
  const dueMs = nextDueMs(state, nowMs);
  if (dueMs !== null && (dueMs - nowMs) % unitMs !== 0) broken.push(`a timer at ${dueMs - nowMs} ms from now falls between the steps of the exploration`);
  const { open, close } = state.boom.contacts;
  if (open.mode === 'pulse' && dueMs === null) broken.push('a pulse that no timer ends');
  if (open.mode !== 'off' && close.mode !== 'off') broken.push('open and close contacts on together');
  if (effects.filter((effect) => effect.kind === 'drive' && effect.action !== 'release' && effect.output === 'close').length > 1) broken.push('two closings at once');
  return broken;
}

/** Everything that can come next. A journal or a decision answers only what was asked; an output fails only when driven. */
function inputsOf({ state, nowMs, outputFaults, depth }: Node, { mostOutputFaults, targets, unreadable, operator }: Alphabet): readonly LaneInput[] {
  const inputs: LaneInput[] = [{ kind: 'tick' }];
  if (!state.started) inputs.push({ kind: 'inputs-read' });
  for (const sensor of state.settings.sensors) {
    for (const signal of signals[sensor]) if (state.sensors[sensor]?.state !== signal && (unreadable || signal === 'on' || signal === 'off')) inputs.push({ kind: 'sensor', sensor, state: signal });
  }
  for (const { request, timesAsked } of state.passages) {
    if (request === null) continue;
    inputs.push({ kind: 'decision', request, decision: admit }, { kind: 'decision', request, decision: refuse });
    if (timesAsked < 2) inputs.push({ kind: 'decision-failed', request });
  }
  const { pending, contacts } = state.boom;
  if (pending?.record === 'waiting') inputs.push({ kind: 'recorded', token: pending.token, durable: true }, { kind: 'recorded', token: pending.token, durable: false });
  for (const target of targets) inputs.push({ kind: 'command', ticket: state.serial, command: { id: `c${depth}-${target}`, target, issuer: 'test', reason: '' } });
  if (operator) {
    const { supervised } = state;
    if (supervised === null) {
      for (const direction of ['open', 'close'] as const) inputs.push({ kind: 'supervise', ticket: state.serial, order: { session: `s${depth}-${direction}`, direction, issuer: 'test' } });
    } else inputs.push({ kind: 'supervise-renew', session: supervised.session }, { kind: 'supervise-end', session: supervised.session });
  }
  if (outputFaults < mostOutputFaults) {
    for (const output of ['open', 'close', 'stop'] as const) {
      const { mode, offSinceMs } = contacts[output];
      if (mode !== 'off') inputs.push({ kind: 'output-fault', output, action: mode, detail: '' });
      else if (offSinceMs === nowMs) inputs.push({ kind: 'output-fault', output, action: 'release', detail: '' });
    }
    if (state.relayAvailable) inputs.push({ kind: 'relay', available: false, detail: '' });
  }
  if (!state.relayAvailable) inputs.push({ kind: 'relay', available: true, detail: '' });
  if (state.latched.some(({ code }) => code === 'output-fault')) inputs.push({ kind: 'output-ok', output: 'open' });
  return inputs;
}

function pathTo(node: Node): readonly string[] {
  const path: string[] = [];
  for (let at: Node | null = node; at?.input; at = at.from) path.unshift(describe(at.input));
  return path;
}

function describe(input: LaneInput): string {
  switch (input.kind) {
    case 'sensor':
      return `${input.sensor} ${input.state}`;
    case 'command':
      return `command ${input.command.target}`;
    case 'decision':
      return input.decision.outcome;
    case 'recorded':
      return input.durable ? 'recorded' : 'not recorded';
    case 'output-fault':
      return `${input.output} ${input.action} fails`;
    case 'relay':
      return input.available ? 'relay board back' : 'relay board lost';
    case 'supervise':
      return `operator holds ${input.order.direction}`;
    case 'tick':
      return '+1';
    default:
      return input.kind;
  }
}
