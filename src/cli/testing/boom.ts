import * as z from 'zod/mini';
import { GateError } from '../../base/index.js';
import { systemClock } from '../../base/system-clock.js';
import { configDocument, documentText, faultsOf, fileStamp, laneIndex, replaceFile } from '../config-file.js';
import { isInterrupted, type Dialogue } from '../dialogue.js';
import type { CliWords } from '../words/index.js';
import { inTheWay } from './in-the-way.js';
import { proposedRunMs } from './judge.js';
import type { TestResult, TestSession } from './session.js';

/** Whoever moves the boom for a measurement, by the lane's own laws. */
export interface Mover {
  /** False where the barrier's own board lowers it. */
  readonly closes: boolean;
  /** What must be cleared first, in words. */
  inTheWay(): readonly string[];
  /** Orders the movement. @returns the monotonic time at which the contact changed, ms; rejects with `COMMAND_*` */
  move(direction: 'open' | 'close', signal: AbortSignal): Promise<number>;
}

export interface RunTimes {
  readonly openTimeMs: number;
  readonly closeTimeMs: number | undefined;
}

const rounds = 3;

/**
 * Times the boom by the technician's eyes, three times up and down, and proposes what to configure.
 * Rejects with `COMMAND_REFUSED` where something is in the way, `COMMAND_INTERRUPTED`.
 */
export async function measureRuns(dialogue: Dialogue, mover: Mover, words: CliWords): Promise<RunTimes> {
  const up: number[] = [];
  const down: number[] = [];
  if (!mover.closes) dialogue.say(words.test.boomOwnBoard);
  const run = async (direction: 'open' | 'close'): Promise<number> => {
    const what = mover.inTheWay();
    if (what.length > 0) throw new GateError('COMMAND_REFUSED', words.test.inTheWay(what.join(', ')), { what });
    const startedMs = await mover.move(direction, dialogue.signal);
    return (await dialogue.enter(`boom.${direction}`, direction === 'open' ? words.test.boomUp : words.test.boomDown)) - startedMs;
  };
  for (let round = 1; round <= rounds; round += 1) {
    dialogue.say(words.test.boomRound(round, rounds));
    await dialogue.enter('boom.ready', words.test.boomStart);
    up.push(await run('open'));
    if (mover.closes) down.push(await run('close'));
    else await dialogue.enter('boom.close', words.test.boomDown);
  }
  const times = { openTimeMs: proposedRunMs(up), closeTimeMs: mover.closes ? proposedRunMs(down) : undefined };
  dialogue.say(words.test.boomProposal(times.openTimeMs, times.closeTimeMs));
  return times;
}

const anything = z.record(z.string(), z.unknown());

/** Moves a boom through the running gate: commands of the lane, on record. */
function gateMover({ client, lines, lane, words }: TestSession): Mover {
  const closeLine = lines.find(lane, 'output', 'close');
  // Without a CLOSE contact the boom goes down when the OPEN contact lets go, or by its own board.
  const holds = closeLine === undefined && lines.find(lane, 'output', 'open')?.state === 'on';
  return {
    closes: closeLine !== undefined || holds,
    inTheWay: () => inTheWay((name) => lines.find(lane, 'input', name)?.state, words),
    move: async (direction, signal) => {
      const name = direction === 'close' && closeLine !== undefined ? 'close' : 'open';
      const before = lines.need(lane, 'output', name, words);
      // The order is answered when the boom has arrived; the watch begins when the contact changes.
      const ordered = client.post(anything, `/api/lanes/${encodeURIComponent(lane)}/command`, { target: direction, reason: 'technician times the boom' });
      const refused = new Promise<never>((_, reject) => void ordered.catch(reject));
      const changed = lines.until(() => {
        const line = lines.find(lane, 'output', name);
        return line !== undefined && line.changes > before.changes && line.sinceMs !== null ? { sinceMs: line.sinceMs } : undefined;
      }, AbortSignal.any([signal, AbortSignal.timeout(20_000)]));
      const { sinceMs } = await Promise.race([changed, refused]).catch((cause: unknown) => {
        if (signal.aborted || !isInterrupted(cause)) throw cause;
        throw new GateError('DEVICE_TIMEOUT', `The ${words.roles[name] ?? name} of ${lane} did not change within 20 s; see gatectl devices and gatectl status.`, { lane });
      });
      return systemClock.monoMs() - Math.max(0, lines.nowMs() - sinceMs);
    },
  };
}

/** Puts run times into a configuration file; comments and order stay. @returns name of the kept old file */
export async function writeRunTimes(path: string, text: string, lane: string, { openTimeMs, closeTimeMs }: RunTimes): Promise<string | undefined> {
  const document = configDocument(text, path);
  const index = laneIndex(document, lane);
  if (index === undefined) throw new GateError('LANE_UNKNOWN', `${path} has no lane "${lane}".`, { lane, path });
  document.setIn(['lanes', index, 'barrier', 'openTimeMs'], openTimeMs);
  if (closeTimeMs !== undefined) document.setIn(['lanes', index, 'barrier', 'closeTimeMs'], closeTimeMs);
  const fresh = documentText(document);
  const faults = faultsOf(fresh, path);
  if (faults !== undefined) throw new GateError('CONFIG_INVALID', faults, { path });
  return (await replaceFile(path, fresh, fileStamp(systemClock.wallMs()))).backup;
}

/** `gatectl test boom`: run times by the technician's eyes, and into the configuration where wanted. */
export async function testBoom(session: TestSession, config: { readonly path: string; readonly text: string } | undefined): Promise<TestResult> {
  const { dialogue, words, lane } = session;
  session.lines.need(lane, 'output', 'open', words);
  const times = await measureRuns(dialogue, gateMover(session), words);
  if (config !== undefined) {
    const backup = await writeRunTimes(config.path, config.text, lane, times);
    dialogue.say(words.test.written(config.path, backup ?? '-'));
  }
  return { test: 'boom', findings: [], measures: { openTimeMs: times.openTimeMs, closeTimeMs: times.closeTimeMs ?? null } };
}
