import * as z from 'zod/mini';
import { decisionSchema, findingSchema, plateSchema, type EventData, type PlateData } from '../messages.js';
import type { Words } from './en.js';
import { findingWords } from './finding.js';
import { attentionWords, word } from './look-up.js';

export type Tone = 'plain' | 'good' | 'bad' | 'warn' | 'command';

export interface EventLine {
  readonly title: string;
  readonly detail: string;
  readonly plate: PlateData | undefined;
  readonly tone: Tone;
}

function textAt(payload: Readonly<Record<string, unknown>>, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = payload[name];
    if (typeof value === 'string' && value !== '') return value;
  }
  return undefined;
}

/** Lanes put the read's facts beside the plate's text; a whole read is taken too. */
function plateOf(payload: Readonly<Record<string, unknown>>): PlateData | undefined {
  for (const candidate of [{ ...payload, text: payload['plate'] }, payload['plate']]) {
    const parsed = plateSchema.safeParse(candidate);
    if (parsed.success) return parsed.data;
  }
  return undefined;
}

const causeSchema = z.object({ kind: z.string(), detail: z.optional(z.string()) });

function causeOf(payload: Readonly<Record<string, unknown>>, words: Words): string {
  const cause = payload['cause'];
  const parsed = causeSchema.safeParse(typeof cause === 'string' ? { kind: cause } : cause);
  if (!parsed.success) return '';
  const { kind, detail } = parsed.data;
  const shown = detail === undefined || detail === '' ? undefined : (words.rules[detail] ?? (kind === 'command' ? detail : undefined));
  return [word(words.causes, kind), shown].filter((part) => part !== undefined).join(': ');
}

function join(...parts: readonly (string | null | undefined)[]): string {
  return parts.filter((part) => typeof part === 'string' && part !== '').join(' · ');
}

/** The latest time that JavaScript can write, ms. */
const mostWallMs = 8.64e15;

/** In the time zone of whoever looks. */
function timeText(wallMs: number | undefined): string {
  if (wallMs === undefined) return '';
  const time = new Date(wallMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

function numberAt(payload: EventData['payload'], ...keys: readonly string[]): number | undefined {
  return keys.map((key) => payload[key]).find((value): value is number => typeof value === 'number' && Math.abs(value) <= mostWallMs);
}

/** An event in the words of the person at the gate. */
export function describeEvent(event: EventData, words: Words): EventLine {
  const { payload, type } = event;
  const title = word(words.eventTypes, type);
  const plate = plateOf(payload);
  const plain = (detail: string, tone: Tone = 'plain'): EventLine => ({ title, detail, plate, tone });
  switch (type) {
    case 'passage.foreseen':
      return plain(word(words.rules, textAt(payload, 'rule') ?? ''));
    case 'passage.decided': {
      const parsed = decisionSchema.safeParse(payload['decision'] ?? payload);
      if (!parsed.success) return plain('');
      const { outcome, rule, note, matched, listedPlate } = parsed.data;
      const detail = join(word(words.rules, rule), note, matched === 'look-alike' && typeof listedPlate === 'string' ? words.lookAlike(listedPlate) : undefined);
      return { title: words.outcome[outcome], detail, plate, tone: outcome === 'admit' ? 'good' : outcome === 'refuse' ? 'bad' : 'warn' };
    }
    case 'passage.ended': {
      const end = textAt(payload, 'end') ?? '';
      const tone: Tone = end === 'forced' ? 'bad' : end === 'entered' || end === 'exited' ? 'good' : 'plain';
      return { title: end === '' ? title : word(words.ends, end), detail: '', plate, tone };
    }
    case 'boom.opening':
    case 'boom.closing':
    case 'boom.stopped':
      return plain(causeOf(payload, words));
    case 'boom.fault':
      return plain(textAt(payload, 'detail', 'reason') ?? '', 'bad');
    case 'lane.attention':
    case 'lane.attention-cleared': {
      const code = textAt(payload, 'code', 'attention', 'reason');
      return plain(code === undefined ? '' : attentionWords(code, words), type === 'lane.attention' ? 'warn' : 'plain');
    }
    case 'input.fault':
    case 'input.cleared': {
      const sensor = textAt(payload, 'sensor', 'input', 'name');
      return plain(sensor === undefined ? '' : word(words.sensors, sensor), type === 'input.fault' ? 'warn' : 'plain');
    }
    case 'diagnosis.raised':
    case 'diagnosis.cleared': {
      const parsed = findingSchema.safeParse(payload);
      if (!parsed.success) return plain('');
      const { what, todo } = findingWords(parsed.data, words);
      if (type === 'diagnosis.raised') return plain(join(what, todo), 'warn');
      const activeMs = payload['activeMs'];
      return plain(join(what, typeof activeMs === 'number' ? words.findingCleared(Math.round(activeMs / 60_000)) : undefined));
    }
    case 'command.accepted':
    case 'command.done':
    case 'command.failed':
    case 'command.refused': {
      const target = textAt(payload, 'target');
      const why = type === 'command.done' || type === 'command.accepted' ? textAt(payload, 'reason') : textAt(payload, 'because', 'outcomeReason', 'reason', 'error');
      const who = textAt(payload, 'issuer');
      const detail = join(target === undefined ? undefined : word(words.targets, target), who, why === undefined ? undefined : word(words.commandReasons, why));
      return plain(detail, type === 'command.failed' || type === 'command.refused' ? 'bad' : 'command');
    }
    case 'clock.stepped':
    case 'clock.backwards':
    case 'clock.bound-lowered': {
      const from = numberAt(payload, 'fromMs', 'boundMs');
      const to = numberAt(payload, 'toMs', 'wallMs');
      return plain(join([from, to].map(timeText).filter((part) => part !== '').join(' → '), textAt(payload, 'source')), type === 'clock.backwards' ? 'bad' : 'plain');
    }
    case 'clock.trusted':
      return plain(join(textAt(payload, 'source')));
    case 'config.staged':
    case 'config.applied':
    case 'config.refused':
    case 'config.returned': {
      const { version, reasons, faults } = payload;
      const listed = z.array(z.string()).safeParse(reasons).data ?? [];
      const wrong = z.array(z.object({ path: z.string(), text: z.string() })).safeParse(faults).data ?? [];
      const said = [...listed, ...wrong.slice(0, 3).map(({ path, text }) => `${path}: ${text}`)];
      return plain(join(typeof version === 'number' ? `v${version}` : undefined, textAt(payload, 'issuer'), textAt(payload, 'code'), textAt(payload, 'reason'), ...said), type === 'config.applied' ? 'good' : type === 'config.staged' ? 'plain' : 'bad');
    }
    case 'device.lost':
    case 'camera.lost':
    case 'vision.lost':
    case 'journal.lost':
    case 'uplink.duplicate-client':
    case 'journal.backup-failed':
      return plain(join(textAt(payload, 'device', 'camera', 'id'), textAt(payload, 'detail', 'reason')), 'bad');
    default:
      return plain(join(textAt(payload, 'device', 'camera', 'id'), textAt(payload, 'detail')));
  }
}
