import { z } from 'zod';
import { errorText } from '../../base/index.js';
import type { LineRef } from '../../device/index.js';
import { placeOf } from '../device-words.js';
import { isInterrupted } from '../dialogue.js';
import { inTheWay } from '../testing/in-the-way.js';
import type { WiringBench } from './bench.js';
import { lineName, lineSchema, sameLine, type TeachOptions } from './teach.js';

export type OutputRole = 'open' | 'close' | 'stop' | 'greenLight' | 'redLight';
export type OutputLines = Partial<Record<OutputRole, LineRef>>;

/** As long as the contact the lane will give. */
const pulseMs = 400;
const lampMs = 1_500;

export interface OutputOptions extends TeachOptions {
  /** Relays that may be tried, in order. */
  readonly candidates: readonly LineRef[];
  readonly needed: readonly OutputRole[];
  /** Inputs taught so far: nothing is pulsed while one of them says that the lane is not empty. */
  readonly inputs: Readonly<Partial<Record<string, LineRef>>>;
}

function stateOf(bench: WiringBench, ref: LineRef): 'on' | 'off' | 'unknown' | 'fault' {
  const raw = bench.stateOf(ref);
  if (ref.activeLow !== true || raw === 'unknown' || raw === 'fault') return raw;
  return raw === 'on' ? 'off' : 'on';
}

/**
 * Finds out what each relay does: closes one after another, each only after the person's consent and only over a lane
 * known to be empty, and asks what happened.
 */
export async function findOutputs(options: OutputOptions): Promise<OutputLines> {
  const { dialogue, memory, words, candidates, needed, inputs, bench } = options;
  const say = words.commission;
  const roles: OutputLines = {};
  dialogue.say(say.outputsWarning);
  const blocked = (): string => inTheWay((name) => (inputs[name] === undefined ? undefined : stateOf(bench, inputs[name])), words).join(', ');
  let asked = false;
  for (;;) {
    for (const ref of candidates) {
      if (Object.values(roles).some((other) => sameLine(other, ref))) continue;
      const missing = needed.filter((role) => roles[role] === undefined);
      if (missing.length === 0 && !asked) {
        asked = true;
        if (!(await memory.keep('outputs.all', z.boolean(), () => dialogue.confirm('outputs.all', say.outputsAll, false)))) return roles;
      }
      const role = await memory.keep(`output.${lineName(ref)}`, z.string(), () => tryOne(ref, blocked, options));
      if (role === 'open' || role === 'close' || role === 'stop' || role === 'greenLight' || role === 'redLight') roles[role] ??= ref;
    }
    const missing = needed.filter((role) => roles[role] === undefined);
    if (missing.length === 0) return roles;
    dialogue.say(say.outputsMissing(missing.map((role) => words.roles[role] ?? role).join(', ')));
    if (!(await dialogue.confirm('outputs.again', say.outputsOnceMore, false))) {
      for (const role of missing) {
        const line = await outputByHand(role, Object.values(roles), options);
        if (line !== undefined) roles[role] = line;
      }
      return roles;
    }
    for (const ref of candidates) await memory.drop(`output.${lineName(ref)}`);
  }
}

async function tryOne(ref: LineRef, blocked: () => string, { dialogue, words, bench }: OutputOptions): Promise<string> {
  const say = words.commission;
  const name = lineName(ref);
  let ms = pulseMs;
  for (;;) {
    // Consent is for one relay and one pulse, and is never remembered.
    if (!(await dialogue.confirm(`pulse.${name}`, say.pulseNow(placeOf(ref), ms), false))) return 'nothing';
    const what = blocked();
    if (what !== '') {
      dialogue.say(say.blocked(what));
      continue;
    }
    try {
      await bench.pulse(ref, ms, dialogue.signal);
    } catch (cause) {
      if (isInterrupted(cause)) throw cause;
      dialogue.say(`  ! ${errorText(cause)}`);
    }
    const moved = await dialogue.choose(`moved.${name}`, say.whatMoved, Object.entries(say.moved).map(([value, label]) => ({ value, label })), 'nothing');
    if (moved !== 'again') return moved;
    // A lamp is better seen when it is lit for longer; a boom does not care.
    ms = lampMs;
  }
}

async function outputByHand(role: OutputRole, taken: readonly LineRef[], { dialogue, memory, words, candidates }: OutputOptions): Promise<LineRef | undefined> {
  const free = candidates.filter((ref) => !taken.some((other) => sameLine(other, ref)));
  if (free.length === 0) return undefined;
  const id = `output.${role}.line`;
  const chosen = await memory.keep(id, z.string(), () => dialogue.choose(id, `${words.roles[role] ?? role}: ${words.commission.whichLine}`, free.map((ref) => ({ value: lineName(ref), label: placeOf(ref) }))));
  return free.find((ref) => lineName(ref) === chosen);
}

/**
 * GPIO outputs are named, not tried: driving pins one by one would drive whatever else hangs on them.
 * @param lines how many the chip has
 */
export async function nameGpioOutputs(device: string, chip: string, needed: readonly OutputRole[], optional: readonly OutputRole[], { dialogue, memory, words }: Pick<TeachOptions, 'dialogue' | 'memory' | 'words'>): Promise<OutputLines> {
  const say = words.commission;
  const low = await memory.keep('gpio.activeLow', z.boolean(), () => dialogue.confirm('gpio.activeLow', say.activeLowOutput, true));
  const roles: OutputLines = {};
  for (const role of [...needed, ...optional]) {
    const name = words.roles[role] ?? role;
    if (optional.includes(role) && !(await memory.keep(`wired.${role}`, z.boolean(), () => dialogue.confirm(`wired.${role}`, say.wired(name), false)))) continue;
    roles[role] = await memory.keep(`output.${role}`, lineSchema, async () => {
      const line = Number(await dialogue.ask(`output.${role}`, say.gpioOutput(name), { check: (text) => (/^\d{1,3}$/u.test(text) ? undefined : say.linesFault) }));
      return { device, chip, line, ...(low ? { activeLow: true } : {}) };
    });
  }
  return roles;
}
