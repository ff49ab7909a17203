import { sleep } from '../dialogue.js';
import { judgeContact } from './judge.js';
import type { TestResult, TestSession } from './session.js';

export const contactNames = ['beam', 'openLimit', 'closedLimit', 'fire', 'stop', 'button'] as const;
export type ContactInput = (typeof contactNames)[number];

const pressesOf: Readonly<Record<ContactInput, number>> = { beam: 1, openLimit: 1, closedLimit: 1, fire: 1, stop: 2, button: 3 };
const bounceMs = 300;

/** `gatectl test input`: a button is pressed, a beam interrupted, a limit switch driven over; it has to say so cleanly. */
export async function testInput(session: TestSession, name: ContactInput): Promise<TestResult> {
  const { lines, dialogue, words, lane, limitMs } = session;
  const role = words.roles[name] ?? name;
  const wanted = pressesOf[name];
  const line = (): ReturnType<typeof lines.need> => lines.need(lane, 'input', name, words);
  const atFirst = line();
  // A boom that lies down rests on its switch: there the switch lets go first.
  const restsOn = atFirst.state === 'on';
  const seen = { presses: 0, unreadable: false };
  let said = atFirst.state;
  const stopShowing = lines.onChange(() => {
    const now = line();
    if (now.state === said) return;
    if (now.state !== 'on' && now.state !== 'off') seen.unreadable = true;
    else if (now.state === atFirst.state) seen.presses += 1;
    said = now.state;
    dialogue.say(words.test.became(role, lines.meaning(now, words)));
  });
  try {
    const text = words.test.trip[name] ?? words.test.press(role, wanted);
    const waited = await dialogue.wait(`input.${name}`, text, limitMs, (signal) => lines.until(() => (seen.presses >= wanted ? true : undefined), signal));
    // What bounces does so right after the edge.
    await sleep(bounceMs, dialogue.signal);
    const last = line();
    const { presses } = seen;
    const run = { wanted, presses, changes: last.changes - atFirst.changes, endsOn: !restsOn && last.state === 'on', unreadable: seen.unreadable || last.state === 'unknown' };
    return {
      test: `input.${name}`,
      findings: judgeContact(run),
      ...(waited.kind === 'done' ? {} : { cutShort: waited.kind === 'late' ? ('late' as const) : ('gave-up' as const) }),
      measures: { presses, bounces: Math.max(0, run.changes - 2 * presses) },
    };
  } finally {
    stopShowing();
  }
}
