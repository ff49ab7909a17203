import * as z from 'zod/mini';
import { GateError, isGateError } from '../../base/index.js';
import { isInterrupted } from '../dialogue.js';
import { inTheWay } from './in-the-way.js';
import type { Finding } from './judge.js';
import type { TestResult, TestSession } from './session.js';

export const relayNames = ['open', 'close', 'stop', 'greenLight', 'redLight'] as const;
export type RelayName = (typeof relayNames)[number];

const anything = z.record(z.string(), z.unknown());
const contactMs = 400;
/** A contact that changed is seen within this long of the order's answer, also on a slow bus. */
const seenMs = 2_000;

/** Refuses to move a boom with anything in its way. @throws GateError `COMMAND_REFUSED` */
export function mustBeEmpty({ lines, words, lane }: TestSession, direction: 'open' | 'close'): void {
  const what = inTheWay((name) => lines.find(lane, 'input', name)?.state, words);
  if (what.length > 0) throw new GateError('COMMAND_REFUSED', `${words.test.inTheWay(what.join(', '))} ${words.test.holdHint(`gatectl test relay ${lane} ${direction} --hold`)}`, { lane, what });
}

/** `gatectl test relay`: movements as commands of the lane, lamps and STOP as pulses; the technician says what he saw. */
export async function testRelay(session: TestSession, name: RelayName, ms: number | undefined): Promise<TestResult> {
  return name === 'open' || name === 'close' ? moveBoom(session, name) : pulse(session, name, ms ?? (name === 'stop' ? contactMs : 3_000));
}

async function watched(session: TestSession, name: RelayName, act: () => Promise<void>): Promise<{ readonly contactMs: number | null }> {
  const { lines, lane, words } = session;
  const before = lines.need(lane, 'output', name, words);
  const contact: { fromMs: number | null; onMs: number | null } = { fromMs: null, onMs: null };
  const end = lines.onChange(() => {
    const now = lines.find(lane, 'output', name);
    if (now?.state === 'on' && now.sinceMs !== null) contact.fromMs = now.sinceMs;
    if (now?.state === 'off' && now.sinceMs !== null && contact.fromMs !== null) contact.onMs = now.sinceMs - contact.fromMs;
  });
  try {
    await act();
    // A contact that was on when it was looked at, or changed in between, was energised.
    const after = lines.find(lane, 'output', name);
    if (contact.onMs === null && after !== undefined && after.changes > before.changes) contact.onMs = 0;
    return { contactMs: contact.onMs };
  } finally {
    end();
  }
}

async function moveBoom(session: TestSession, name: 'open' | 'close'): Promise<TestResult> {
  const { client, dialogue, words, lane, yes, lines } = session;
  lines.need(lane, 'output', name, words);
  mustBeEmpty(session, name);
  const up = name === 'open';
  if (!yes && !(await dialogue.confirm(`relay.${name}`, up ? words.test.confirmOpen(lane) : words.test.confirmClose(lane)))) {
    throw new GateError('COMMAND_REFUSED', words.test.declined);
  }
  // The answer may have taken a while.
  mustBeEmpty(session, name);
  const findings: Finding[] = [];
  const { contactMs } = await watched(session, name, async () => {
    const before = lines.need(lane, 'output', name, words).changes;
    try {
      await client.post(anything, `/api/lanes/${encodeURIComponent(lane)}/command`, { target: name, reason: 'technician tests the relay' });
      // The answer and what is seen of the contact come on two ways.
      await lines.until(() => ((lines.find(lane, 'output', name)?.changes ?? 0) > before ? true : undefined), AbortSignal.timeout(seenMs)).catch((cause: unknown) => {
        // Nothing was seen: that is found below.
        if (!isInterrupted(cause)) throw cause;
      });
    } catch (cause) {
      if (!isGateError(cause, 'COMMAND_REFUSED')) throw cause;
      dialogue.say(cause.message);
      findings.push('not-obeyed');
    }
  });
  if (contactMs === null) findings.push('contact-silent');
  if (!yes && !(await dialogue.confirm(`relay.${name}.seen`, up ? words.test.didOpen : words.test.didClose))) findings.push('not-seen');
  return { test: `relay.${name}`, findings, measures: { contactMs } };
}

async function pulse(session: TestSession, name: 'stop' | 'greenLight' | 'redLight', ms: number): Promise<TestResult> {
  const { client, dialogue, words, lane, yes, lines } = session;
  const { contactMs } = await watched(session, name, async () => {
    const before = lines.need(lane, 'output', name, words).changes;
    await client.post(anything, `/api/lanes/${encodeURIComponent(lane)}/pulse`, { output: name, ms });
    await dialogue.wait(`relay.${name}.pulse`, '', ms + 1_000, (signal) => lines.until(() => ((lines.find(lane, 'output', name)?.changes ?? 0) >= before + 2 ? true : undefined), signal));
  });
  const findings: Finding[] = contactMs === null ? ['contact-silent'] : [];
  const question = name === 'stop' ? words.test.didStop(ms) : words.test.didLamp(words.roles[name] ?? name, ms);
  if (!yes && !(await dialogue.confirm(`relay.${name}.seen`, question))) findings.push('not-seen');
  return { test: `relay.${name}`, findings, measures: { contactMs } };
}
