import * as z from 'zod/mini';
import { isGateError } from '../../base/index.js';
import { systemClock } from '../../base/system-clock.js';
import type { ControlClient } from '../control-client.js';
import { ctrlC, readKeys, type KeySource } from '../keys.js';
import type { CliWords } from '../words/index.js';

/** A key that repeats comes at least this often: X and Linux consoles repeat 10 to 30 times a second. */
const repeatMs = 300;
const renewMs = 200;

const begunSchema = z.object({ session: z.string(), renewWithinMs: z.number() });
const heldSchema = z.object({ active: z.boolean(), ended: z.nullable(z.string()), boom: z.string() });

export interface HoldOutcome {
  /** The boom was moved at all. */
  readonly moved: boolean;
  /** Why it ended: `done`, `let-go`, …; `not-begun` where nothing was held. */
  readonly ended: string;
}

/**
 * Hold-to-run over the keyboard: the boom moves only while the space bar repeats. One press does nothing, since the first
 * repeat comes up to a second later than the press; a key that is no longer heard of, for whatever reason, lets go.
 */
export async function holdToRun(client: ControlClient, lane: string, direction: 'open' | 'close', keys: KeySource, say: (text: string) => void, words: CliWords): Promise<HoldOutcome> {
  const path = `/api/lanes/${encodeURIComponent(lane)}/supervised`;
  let lastKeyMs = -Infinity;
  let over = false;
  let begin: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (begin = resolve));
  const stopKeys = readKeys(keys, (key) => {
    const nowMs = systemClock.monoMs();
    if (key === 'q' || key === ctrlC) over = true;
    else if (key === ' ') {
      if (nowMs - lastKeyMs < repeatMs) begin();
      lastKeyMs = nowMs;
    }
    if (over) begin();
  });
  const hangUp = (): void => {
    over = true;
    begin();
  };
  for (const signal of ['SIGHUP', 'SIGTERM', 'SIGINT'] as const) process.once(signal, hangUp);
  say(words.test.holdPrompt(direction === 'open' ? words.test.up : words.test.down));
  try {
    await held;
    const stillHeld = (): boolean => !over && systemClock.monoMs() - lastKeyMs < repeatMs;
    if (!stillHeld()) return { moved: false, ended: 'not-begun' };
    const { session } = await client.post(begunSchema, path, { direction });
    say(words.test.holdRunning);
    for (;;) {
      if (!stillHeld()) {
        const { ended } = await client.post(heldSchema, `${path}/${session}/end`, {});
        const why = ended ?? 'let-go';
        say(words.test.holdEnded(why));
        return { moved: true, ended: why };
      }
      const { active, ended } = await client.post(heldSchema, `${path}/${session}/renew`, {});
      if (!active) {
        say(words.test.holdEnded(ended ?? 'not-renewed'));
        return { moved: true, ended: ended ?? 'not-renewed' };
      }
      // Looked at more often than it is renewed, so that letting go is told within a key's gap.
      await untilDue(renewMs, stillHeld);
    }
  } catch (cause) {
    if (isGateError(cause, 'COMMAND_REFUSED')) say(cause.message);
    throw cause;
  } finally {
    for (const signal of ['SIGHUP', 'SIGTERM', 'SIGINT'] as const) process.off(signal, hangUp);
    stopKeys();
  }
}

async function untilDue(ms: number, goesOn: () => boolean): Promise<void> {
  const dueMs = systemClock.monoMs() + ms;
  while (goesOn() && systemClock.monoMs() < dueMs) await new Promise<void>((resolve) => void systemClock.after(20, resolve));
}
