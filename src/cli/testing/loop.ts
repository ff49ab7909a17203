import { sleep } from '../dialogue.js';
import { judgeLoop } from './judge.js';
import type { TestResult, TestSession } from './session.js';

const settleMs = 2_000;
/** A car that drives on is on the whole loop after this. */
const drivingOnMs = 1_000;

/** `gatectl test loop`: a car drives on, stands, leaves; the loop has to say so, once each. */
export async function testLoop(session: TestSession, name: 'approach' | 'closing', holdMs: number): Promise<TestResult> {
  const { lines, dialogue, words, lane, limitMs } = session;
  const role = words.roles[name] ?? name;
  const test = `loop.${name}`;
  const line = (): ReturnType<typeof lines.need> => lines.need(lane, 'input', name, words);
  let unreadable = false;
  let said = line().state;
  const stopShowing = lines.onChange(() => {
    const now = line();
    if (now.state === said) return;
    said = now.state;
    if (now.state !== 'on' && now.state !== 'off') unreadable = true;
    dialogue.say(words.test.became(role, lines.meaning(now, words)));
  });
  const wait = (id: string, text: string, state: 'on' | 'off'): ReturnType<typeof dialogue.wait<number>> =>
    dialogue.wait(id, text, limitMs, (signal) => lines.until(() => (line().state === state ? (line().sinceMs ?? lines.nowMs()) : undefined), signal));
  const cut = (kind: 'skipped' | 'late'): 'gave-up' | 'late' => (kind === 'late' ? 'late' : 'gave-up');
  try {
    line();
    if (line().state !== 'off') {
      const clear = await wait('loop.clear', words.test.mustBeClear(role), 'off');
      if (clear.kind !== 'done') return { test, findings: line().state === 'on' ? ['never-off'] : ['unreadable'], cutShort: cut(clear.kind), measures: {} };
    }
    unreadable = false;
    const atFirst = line().changes;
    const startedMs = lines.nowMs();
    const arrived = await wait('loop.on', words.test.driveOn(role), 'on');
    if (arrived.kind !== 'done') return { test, findings: judgeLoop({ arrivalMs: null, arrivalChanges: 0, holdChanges: 0, heldMs: 0, left: false, settleChanges: 0, unreadable }), cutShort: cut(arrived.kind), measures: {} };
    await sleep(drivingOnMs, dialogue.signal);
    const standing = line().changes;
    dialogue.say(words.test.standStill(Math.round(holdMs / 1_000)));
    await sleep(holdMs, dialogue.signal);
    const stood = line().changes;
    const left = await wait('loop.off', words.test.driveOff, 'off');
    const gone = line().changes;
    if (left.kind === 'done') {
      dialogue.say(words.test.settle);
      await sleep(settleMs, dialogue.signal);
    }
    const run = {
      arrivalMs: Math.max(0, arrived.value - startedMs),
      arrivalChanges: standing - atFirst,
      holdChanges: stood - standing,
      heldMs: holdMs,
      left: left.kind === 'done',
      settleChanges: line().changes - gone,
      unreadable,
    };
    return {
      test,
      findings: judgeLoop(run),
      ...(left.kind === 'done' ? {} : { cutShort: cut(left.kind) }),
      measures: { arrivalMs: run.arrivalMs, heldMs: holdMs, dropouts: Math.ceil(run.holdChanges / 2), bounces: Math.max(0, run.arrivalChanges - 1), flutters: run.settleChanges },
    };
  } finally {
    stopShowing();
  }
}
