import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { GateError, errorText } from '../../base/index.js';
import { systemClock } from '../../base/system-clock.js';
import { configSchema, readConfigText, resolvePaths, type GateConfig } from '../../config/index.js';
import type { LineRef } from '../../device/index.js';
import { configDocument, difference, documentText, faultsOf, fileStamp, replaceFile } from '../config-file.js';
import { exitStatus } from '../context.js';
import { gateRuns } from '../device-source.js';
import { ScriptedDialogue, TerminalDialogue, type Answer, type Dialogue } from '../dialogue.js';
import { localTime } from '../output.js';
import { measureRuns } from '../testing/boom.js';
import { cliWords, type CliWords } from '../words/index.js';
import { WiringBench } from './bench.js';
import { askCamera } from './camera.js';
import { addLane, inputRoles, newDocument, type LaneDraft, type SiteDraft } from './draft.js';
import { findHardware, type Hardware } from './hardware.js';
import { Memory } from './memory.js';
import { findOutputs, nameGpioOutputs, type OutputLines, type OutputRole } from './outputs.js';
import { OwnLane } from './own-lane.js';
import { sameLine, teachInput } from './teach.js';

export interface CommissionOptions {
  readonly path: string;
  /** A file of answers instead of a person. */
  readonly answers: string | undefined;
}

interface Session {
  readonly path: string;
  readonly dialogue: Dialogue;
  readonly memory: Memory;
  readonly words: CliWords;
  /** The configuration as it is; undefined where there is none yet. */
  readonly text: string | undefined;
  readonly config: GateConfig | undefined;
}

const answersSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.union([z.string(), z.number(), z.boolean()]))]));

async function readAnswers(path: string): Promise<Readonly<Record<string, Answer>>> {
  try {
    return answersSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    throw new GateError('CLI_USAGE', `The answers in ${path} cannot be read: ${errorText(cause)}. They are one JSON object of texts, numbers, booleans or lists of them by question.`, { path }, cause);
  }
}

/** `gatectl commission`: wires a lane step by step and writes its configuration. @returns the exit status */
export async function commission({ path: given, answers }: CommissionOptions): Promise<number> {
  const words = cliWords();
  const path = resolve(given);
  const text = existsSync(path) ? await readConfigText(path) : undefined;
  const faults = text === undefined ? undefined : faultsOf(text, path);
  if (faults !== undefined) throw new GateError('CONFIG_INVALID', faults, { path });
  const config = text === undefined ? undefined : resolvePaths(configSchema.parse(parse(text, { version: '1.2' })), dirname(path));
  if (config !== undefined && (await gateRuns(config.gate.dataDirectory))) throw new GateError('CONTROL_BUSY', words.commission.heldDevices, { path });
  if (answers === undefined && !process.stdin.isTTY) throw new GateError('CLI_USAGE', 'gatectl commission asks questions: run it in a terminal, or give --answers FILE.');
  const dialogue: Dialogue = answers === undefined ? new TerminalDialogue(process.stdin, process.stdout, words) : new ScriptedDialogue(await readAnswers(answers), process.stdout, words);
  const memory = new Memory(answers === undefined ? `${path}.commission.json` : undefined, systemClock.wallMs());
  try {
    dialogue.say(words.commission.title);
    const since = await memory.load();
    if (since !== undefined && !(await dialogue.confirm('resume', words.commission.resumed(localTime(since)), true))) await memory.forget(systemClock.wallMs());
    return await walk({ path, dialogue, memory, words, text, config });
  } finally {
    dialogue.close();
  }
}

async function walk(session: Session): Promise<number> {
  const { path, dialogue, memory, words, text, config } = session;
  const say = words.commission;
  const document = text === undefined ? newDocument(await askSite(session)) : configDocument(text, path);
  const id = await askLaneId(session);
  const ask = (key: string, question: string, fallback?: string): Promise<string> => memory.keep(key, z.string(), () => dialogue.ask(key, question, { fallback }));
  const existing = config?.lanes.find((lane) => lane.id === id);
  const name = await ask('lane.name', say.laneName, existing?.name ?? id);
  const choose = <Value extends string>(key: string, question: string, choices: readonly { readonly value: Value; readonly label: string }[], fallback: Value): Promise<Value> =>
    memory.keep(key, z.enum(choices.map(({ value }) => value)), () => dialogue.choose(key, question, choices, fallback));
  const direction = await choose('lane.direction', say.direction, [{ value: 'entry', label: say.entry }, { value: 'exit', label: say.exit }], existing?.direction ?? (id.includes('exit') ? 'exit' : 'entry'));
  const closing = await choose('lane.closing', say.closing, [{ value: 'gateway-closes', label: say.gatewayCloses }, { value: 'barrier-closes', label: say.barrierCloses }], existing?.barrier.closing ?? 'gateway-closes');
  const drive = await choose('lane.drive', say.drive, [{ value: 'pulse', label: say.pulse }, { value: 'hold-to-open', label: say.holdToOpen }], existing?.barrier.drive ?? 'pulse');
  const hardware = await findHardware({ dialogue, memory, words, known: config?.devices ?? [] });
  const wiring = await findWiring(session, id, hardware, closing === 'gateway-closes' && drive === 'pulse');

  const draft: LaneDraft = { id, name, direction, closing, drive, devices: hardware.map(({ entry }) => entry), ...wiring, openTimeMs: undefined, closeTimeMs: undefined, camera: undefined };
  const times = await askRunTimes(session, draft);
  const camera = await askCamera(id, path, { dialogue, memory, words });
  addLane(document, { ...draft, ...times, camera });
  return finish(session, documentText(document), id);
}

async function askSite({ path, dialogue, memory, words }: Session): Promise<SiteDraft> {
  const say = words.commission;
  dialogue.say(say.newFile(path));
  const identifier = (text: string): string | undefined => (/^[a-z0-9][a-z0-9-]{0,31}$/u.test(text) ? undefined : 'a-z 0-9 -');
  const ask = (key: string, question: string, fallback: string, check?: (text: string) => string | undefined): Promise<string> =>
    memory.keep(key, z.string(), () => dialogue.ask(key, question, { fallback, ...(check === undefined ? {} : { check }) }));
  return {
    siteId: await ask('site.id', say.siteId, 'laurel-gardens', identifier),
    siteName: await ask('site.name', say.siteName, '月桂社区'),
    gateId: await ask('gate.id', say.gateId, 'east-gate', identifier),
    gateName: await ask('gate.name', say.gateName, 'East gate'),
    dataDirectory: await ask('gate.dataDirectory', say.dataDirectory, '/var/lib/laurel-gate'),
  };
}

async function askLaneId({ dialogue, memory, words, config }: Session): Promise<string> {
  const say = words.commission;
  const taken = (id: string): boolean => config?.lanes.some((lane) => lane.id === id) === true;
  return memory.keep('lane.id', z.string(), async () => {
    for (;;) {
      const id = await dialogue.ask('lane.id', say.laneId, { fallback: taken('entry') ? 'exit' : 'entry', check: (text) => (/^[a-z0-9][a-z0-9-]{0,31}$/u.test(text) ? undefined : 'a-z 0-9 -') });
      if (!taken(id) || (await dialogue.confirm('lane.replace', say.replaceLane(id), false))) return id;
      dialogue.say(say.laneTaken(id));
    }
  });
}

/** Lines that other lanes use: no input of this lane but fire and STOP, and never one of its outputs. */
function usedElsewhere(config: GateConfig | undefined, lane: string): { readonly inputs: readonly LineRef[]; readonly outputs: readonly LineRef[] } {
  const others = config?.lanes.filter(({ id }) => id !== lane) ?? [];
  return {
    inputs: others.flatMap(({ inputs }) => Object.entries(inputs).flatMap(([name, ref]) => (ref === undefined || name === 'fire' || name === 'stop' ? [] : [ref]))),
    outputs: others.flatMap(({ barrier: { open, close, stop, greenLight, redLight } }) => [open, close, stop, greenLight, redLight].filter((ref) => ref !== undefined)),
  };
}

async function findWiring(session: Session, lane: string, hardware: readonly Hardware[], needsClose: boolean): Promise<{ readonly inputs: Partial<Record<string, LineRef>>; readonly outputs: OutputLines }> {
  const { dialogue, memory, words, config } = session;
  const used = usedElsewhere(config, lane);
  const free = (refs: readonly LineRef[], taken: readonly LineRef[]): readonly LineRef[] => refs.filter((ref) => !taken.some((other) => sameLine(other, ref)));
  const candidates = free(hardware.flatMap((one) => one.outputs), used.outputs);
  const bench = await WiringBench.open(hardware.map(({ entry }) => entry), free(hardware.flatMap((one) => one.inputs), used.inputs), candidates, dialogue.signal);
  let notReleased: readonly string[] = [];
  try {
    const options = { dialogue, memory, words, bench };
    const inputs: Partial<Record<string, LineRef>> = {};
    for (const name of inputRoles) {
      const taken = Object.values(inputs).filter((ref) => ref !== undefined);
      const ref = await teachInput(name, name !== 'approach' && name !== 'closing', taken, options);
      if (ref !== undefined) inputs[name] = ref;
    }
    const needed: readonly OutputRole[] = needsClose ? ['open', 'close'] : ['open'];
    const gpio = hardware.find(({ chip }) => chip !== undefined);
    if (candidates.length > 0) return { inputs, outputs: await findOutputs({ ...options, candidates, needed, inputs }) };
    if (gpio?.chip !== undefined) return { inputs, outputs: await nameGpioOutputs(gpio.entry.id, gpio.chip, needed, ['stop', 'greenLight', 'redLight'], options) };
    dialogue.say(words.commission.noOutputs);
    return { inputs, outputs: {} };
  } finally {
    notReleased = await bench.close();
    for (const fault of notReleased) dialogue.say(`  ! ${fault}`);
  }
}

/** The draft as a whole configuration, to run its lane by; undefined where it is not right yet. */
function tryConfig({ path, text, memory: _memory, ...session }: Session, draft: LaneDraft): GateConfig | undefined {
  const site = session.config ?? { site: { id: 'x', name: 'x' }, gate: { id: 'x', name: 'x', dataDirectory: dirname(path) } };
  const document = text === undefined ? newDocument({ siteId: site.site.id, siteName: site.site.name, gateId: site.gate.id, gateName: site.gate.name, dataDirectory: site.gate.dataDirectory }) : configDocument(text, path);
  addLane(document, draft);
  const fresh = documentText(document);
  return faultsOf(fresh, path) === undefined ? configSchema.parse(parse(fresh, { version: '1.2' })) : undefined;
}

const timesSchema = z.object({ openTimeMs: z.number(), closeTimeMs: z.number().optional() });

async function askRunTimes(session: Session, draft: LaneDraft): Promise<{ readonly openTimeMs: number; readonly closeTimeMs: number | undefined }> {
  const { dialogue, memory, words } = session;
  const say = words.commission;
  const times = await memory.keep('runTimes', timesSchema, async () => {
    const config = tryConfig(session, draft);
    if (config !== undefined && (await dialogue.confirm('boom.measure', say.measure, true))) {
      const lane = new OwnLane(config, draft.id, words);
      try {
        await lane.start(dialogue.signal);
        const { openTimeMs, closeTimeMs } = await measureRuns(dialogue, lane, words);
        return closeTimeMs === undefined ? { openTimeMs } : { openTimeMs, closeTimeMs };
      } catch (cause) {
        if (dialogue.signal.aborted) throw cause;
        dialogue.say(`  ! ${errorText(cause)}`);
      } finally {
        await lane.stop();
      }
    }
    const check = (text: string): string | undefined => (/^\d{3,5}$/u.test(text) && Number(text) >= 500 && Number(text) <= 30_000 ? undefined : say.wholeMs);
    const byHand = async (key: 'openTimeMs' | 'closeTimeMs'): Promise<number> => Number(await dialogue.ask(`boom.${key}`, say.runTime[key] ?? key, { fallback: '3000', check }));
    return { openTimeMs: await byHand('openTimeMs'), closeTimeMs: await byHand('closeTimeMs') };
  });
  return { openTimeMs: times.openTimeMs, closeTimeMs: times.closeTimeMs };
}

async function finish({ path, dialogue, memory, words, text }: Session, fresh: string, lane: string): Promise<number> {
  const say = words.commission;
  const faults = faultsOf(fresh, path);
  dialogue.say(say.difference);
  for (const line of difference(text ?? '', fresh)) dialogue.say(`  ${line}`);
  if (faults !== undefined) {
    dialogue.say(`${say.faults}\n${faults}`);
    dialogue.say(say.notWritten);
    return exitStatus.failed;
  }
  if (!(await dialogue.confirm('write', say.write(path), true))) {
    dialogue.say(say.notWritten);
    return exitStatus.failed;
  }
  const { backup } = await replaceFile(path, fresh, fileStamp(systemClock.wallMs()));
  await memory.forget(systemClock.wallMs());
  dialogue.say(say.written(path, backup));
  dialogue.say(say.next(path, lane));
  return exitStatus.ok;
}
