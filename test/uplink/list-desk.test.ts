import { describe, expect, it } from 'vitest';
import { ManualClock, silentLog } from '../../src/base/index.js';
import { ListCore } from '../../src/lists/core.js';
import type { HeldList, ListEntry, ListOutcome } from '../../src/lists/index.js';
import { ListDesk, listReportSchema, type ListReport, type Received } from '../../src/uplink/index.js';
import { blocked, delta, freshDirectory, fullList } from '../lists/support.js';

const entries: readonly ListEntry[] = [blocked('京A11111'), blocked('京A22222'), blocked('京A33333')];

interface Post {
  readonly clock: ManualClock;
  readonly reports: ListReport[];
  readonly take: (...messages: readonly Uint8Array[]) => Promise<void>;
}

/** A desk over lists on disk, on a clock that moves when told. */
function post(): Post {
  const core = new ListCore(freshDirectory());
  const clock = new ManualClock();
  const reports: ListReport[] = [];
  let held: HeldList | undefined;
  const kept = (outcome: ListOutcome): ListOutcome => {
    if (outcome.kind === 'applied') held = outcome.list;
    return outcome;
  };
  const lists = { held: () => held, pending: () => [], take: (payload: Uint8Array) => Promise.resolve(kept(core.take(payload))), abandon: () => Promise.resolve(kept(core.abandon())) };
  const desk = new ListDesk({ lists, epoch: 1, clock, log: silentLog, reply: (_topic, message) => void reports.push(listReportSchema.parse(message)) });
  return {
    clock,
    reports,
    take: async (...messages) => {
      for (const payload of messages) {
        const received: Received = { topic: 'list', payload, retained: false, correlation: undefined };
        await desk.handle(received);
      }
    },
  };
}

describe('the desk for lists', () => {
  it('tells a platform that was set back what is held, once for all parts, and no more than once a minute', async () => {
    const { clock, reports, take } = post();
    await take(...fullList(5, entries));
    const { held } = reports[0] ?? {};
    expect(held?.version).toBe(5);
    await take(...fullList(3, entries.slice(1)));
    await take(...fullList(3, entries));
    expect(reports.slice(1)).toMatchObject([{ held, wants: null }]);
    await take(delta(3, 4, entries, {}));
    clock.advance(60_000);
    await take(...fullList(4, entries));
    expect(reports.slice(2)).toMatchObject([{ held }, { held }]);
    // What is in force already is no news.
    await take(...fullList(5, entries));
    expect(reports).toHaveLength(4);
  });

  it('still misses the parts of a newer list when a change has come into force meanwhile', async () => {
    const { clock, reports, take } = post();
    await take(...fullList(1, entries, 3));
    const [half = new Uint8Array()] = fullList(3, entries);
    await take(half, delta(1, 2, entries.slice(1), { remove: ['blocked/京A11111'] }));
    expect(reports.at(-1)).toMatchObject({ held: { version: 2 }, wants: null });
    await clock.advanceAsync(60_000);
    expect(reports.at(-1)).toMatchObject({ held: { version: 2 }, wants: 'full', refused: { code: 'LIST_INCOMPLETE', version: 3 } });
  });
});
