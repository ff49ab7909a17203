import { z } from 'zod';
import { GateError, type SignalState } from '../../base/index.js';
import type { LineRef } from '../../device/index.js';
import { placeOf } from '../device-words.js';
import type { Dialogue } from '../dialogue.js';
import type { CliWords } from '../words/index.js';
import type { SeenInput, WiringBench } from './bench.js';
import type { Memory } from './memory.js';

export const lineSchema = z.object({
  device: z.string(),
  line: z.union([z.number(), z.string()]),
  chip: z.string().optional(),
  unit: z.number().optional(),
  table: z.enum(['coil', 'discrete', 'holding', 'input']).optional(),
  pull: z.enum(['up', 'down', 'off']).optional(),
  activeLow: z.boolean().optional(),
});

/** Text that names a line, for answers: `bus/1/3` is input 3 of unit 1, `gpio/17` offset 17. */
export function lineName({ device, unit, line }: LineRef): string {
  return [device, unit, line].filter((part) => part !== undefined).join('/');
}

export function sameLine(one: LineRef, other: LineRef): boolean {
  return lineName(one) === lineName(other) && one.chip === other.chip;
}

const limitMs = 180_000;

export interface TeachOptions {
  readonly dialogue: Dialogue;
  readonly memory: Memory;
  readonly words: CliWords;
  readonly bench: WiringBench;
}

/** A taught input with the polarity under which "on" means what the role says. */
function taught(ref: LineRef, active: SignalState): LineRef {
  // Lines are looked at without polarity, so a line that turned off was the one whose 0 means on.
  return active === 'off' ? { ...ref, activeLow: true } : ref;
}

/**
 * Finds by itself which line a sensor is on: the person makes it act, and the one line that changes is it.
 * @param taken lines that have a role already
 * @returns undefined where the person leaves it out
 */
export async function teachInput(name: string, optional: boolean, taken: readonly LineRef[], options: TeachOptions): Promise<LineRef | undefined> {
  const { dialogue, memory, words } = options;
  const say = words.commission;
  const role = words.roles[name] ?? name;
  if (optional) {
    const wired = await memory.keep(`wired.${name}`, z.boolean(), () => dialogue.confirm(`wired.${name}`, say.wired(role), false));
    if (!wired) return undefined;
  }
  const found = await memory.keep(`input.${name}`, lineSchema.nullable(), async () => {
    for (;;) {
      const ref = await attempt(name, role, taken, options);
      if (ref !== undefined) return ref;
      const choices = [
        { value: 'again', label: say.again },
        { value: 'byHand', label: say.byHand },
        ...(optional ? [{ value: 'leaveOut', label: say.leaveOut }] : []),
      ];
      const next = await dialogue.choose(`teach.${name}.next`, say.teachNext, choices, 'again');
      if (next === 'leaveOut') return null;
      if (next === 'byHand') return await byHand(name, taken, options);
    }
  });
  return found ?? undefined;
}

async function attempt(name: string, role: string, taken: readonly LineRef[], options: TeachOptions): Promise<LineRef | undefined> {
  const { dialogue, words, bench } = options;
  const say = words.commission;
  await dialogue.enter(`teach.${name}.rest`, say.teachRest(role));
  const usual = bench.inputs();
  for (const fault of bench.faults()) dialogue.say(`  ! ${fault}`);
  const seen = await dialogue.wait(`teach.${name}`, `${say.teach[name] ?? name} ${say.teachHelp}`, limitMs, async (signal) => {
    for (;;) {
      // What has its role already may change as well: the boom goes up, the other loop clears.
      const changed = (await bench.changed(usual.filter(({ ref }) => !taken.some((other) => sameLine(other, ref))), signal));
      if (changed.length > 0) return changed;
    }
  });
  if (seen.kind === 'skipped') return byHand(name, taken, options);
  if (seen.kind === 'late') {
    dialogue.say(say.teachNothing);
    return undefined;
  }
  const one = await pick(name, seen.value, options);
  const ref = taught(one.ref, one.state);
  dialogue.say(say.teachFound(placeOf(one.ref), ref.activeLow === true ? say.lowActive : say.highActive));
  const rest = usual.find((input) => sameLine(input.ref, one.ref))?.state ?? 'off';
  const back = await dialogue.wait(`teach.${name}.back`, `${say.teachBack} ${say.teachBackHelp}`, limitMs, (signal) => bench.until(one.ref, rest, signal));
  if (back.kind !== 'done') dialogue.say(say.notBack);
  return ref;
}

async function pick(name: string, seen: readonly SeenInput[], { dialogue, words }: TeachOptions): Promise<SeenInput> {
  const [only, second] = seen;
  if (only !== undefined && second === undefined) return only;
  const choices = seen.map(({ ref }) => ({ value: lineName(ref), label: placeOf(ref) }));
  const chosen = await dialogue.choose(`teach.${name}.which`, words.commission.teachSeveral, choices);
  const one = seen.find(({ ref }) => lineName(ref) === chosen) ?? only;
  if (one === undefined) throw new GateError('CLI_USAGE', 'No line changed.');
  return one;
}

async function byHand(name: string, taken: readonly LineRef[], { dialogue, words, bench }: TeachOptions): Promise<LineRef | undefined> {
  const free = bench.inputs().filter(({ ref }) => !taken.some((other) => sameLine(other, ref)));
  if (free.length === 0) return undefined;
  const chosen = await dialogue.choose(`teach.${name}.line`, words.commission.whichLine, free.map(({ ref, state }) => ({ value: lineName(ref), label: `${placeOf(ref)}  (${state === 'on' ? '1' : state === 'off' ? '0' : '-'})` })));
  const ref = free.find((one) => lineName(one.ref) === chosen)?.ref;
  if (ref === undefined) return undefined;
  const low = await dialogue.confirm(`teach.${name}.activeLow`, words.commission.activeLow, ref.chip !== undefined);
  return low ? { ...ref, activeLow: true } : ref;
}
