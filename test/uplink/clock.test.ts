import { describe, expect, it } from 'vitest';
import { ManualClock, silentLog } from '../../src/base/index.js';
import { SqliteJournal } from '../../src/journal/index.js';
import { eventMessageSchema, type EventMessage } from '../../src/uplink/index.js';
import { Outbox, type OutboxMessage } from '../../src/uplink/outbox.js';
import { GateLedger } from '../../src/uplink/platform-ledger.js';
import { atEnd, drained, freshDirectory, passage, settings, startGate, startMosquitto, startPlatform, until } from './support.js';

const noonMs = Date.UTC(2026, 6, 1, 12);

/** A box that has just woken and does not know the time. */
async function wokenJournal() {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const journal = new SqliteJournal({ directory: freshDirectory(), gateId: 'east', clock, log: silentLog, clockTrusted: () => false, retention: { eventsDays: 365, photographsDays: 30, photographsMB: 100 }, ballastMB: 0 });
  const { epoch } = await journal.start();
  atEnd(() => journal.stop());
  return { clock, journal, epoch };
}

const eventsOf = (message: OutboxMessage | undefined): EventMessage['events'] => eventMessageSchema.parse(JSON.parse(message?.payload.toString('utf8') ?? '{}')).events;

describe('events recorded before the clock was known', () => {
  it('reach the platform with their true time, in a backlog that waited for a broker, and their hashes hold', async () => {
    const { clock, journal, epoch } = await wokenJournal();
    const wire: EventMessage['events'] = [];
    const broker = await startMosquitto();
    const platform = await startPlatform({ url: broker.url, onEvent: (_, event) => wire.push(event) });
    for (let number = 0; number < 30; number += 1) {
      await journal.append(passage(number));
      clock.advance(1_000);
    }
    await journal.knowClock({ wallMs: noonMs, monoMs: clock.monoMs(), source: 'ntp' });
    const gate = await startGate(settings(broker.url), { journal, epoch });
    await drained(gate);
    expect(wire.map(({ clockTrusted, correctedWallMs }) => ({ clockTrusted, correctedWallMs }))).toEqual(Array.from({ length: 30 }, (_, number) => ({ clockTrusted: false, correctedWallMs: noonMs - 30_000 + number * 1_000 })));
    expect(wire[0]?.wallMs).toBe(Date.UTC(2026, 0, 1));
    expect(platform.ledger('laurel', 'east')).toMatchObject({ chainBroken: [], missing: [], conflicting: [] });
  });

  it('go out with it also where they waited for their turn when it became known', async () => {
    const { clock, journal } = await wokenJournal();
    for (let number = 0; number < 6; number += 1) await journal.append(passage(number));
    let changed = 0;
    const hooks = { changed: () => (changed += 1), failed: () => undefined, reduced: () => undefined };
    const outbox = new Outbox(journal, { events: 2, bytes: 100_000, ahead: 1_000, most: 1_000_000 }, { head: 6, acknowledged: 0 }, hooks);
    expect(outbox.nextBacklog()).toBeUndefined();
    await until(() => changed > 0, { what: 'a page of backlog' });
    const [first] = eventsOf(outbox.nextBacklog());
    expect(first?.seq).toBe(1);
    expect(first?.correctedWallMs).toBeUndefined();
    outbox.stored([await journal.append(passage(7))]);
    clock.advance(10_000);
    await journal.knowClock({ wallMs: noonMs, monoMs: clock.monoMs(), source: 'ntp' });
    outbox.clockKnown();
    expect(eventsOf(outbox.nextLive())).toMatchObject([{ seq: 7, correctedWallMs: noonMs - 10_000 }]);
    const before = changed;
    outbox.nextBacklog();
    await until(() => changed > before, { what: 'the backlog read anew' });
    expect(eventsOf(outbox.nextBacklog())).toMatchObject([3, 4].map((seq) => ({ seq, correctedWallMs: noonMs - 10_000 })));
  });

  it('that the platform had already get it from what the gate tells once it knows, those of killed processes too', async () => {
    const { clock, journal } = await wokenJournal();
    const ledger = new GateLedger();
    const take = async (after: number): Promise<EventMessage['events']> => {
      const [batch] = await journal.eventBatches({ after, before: 1_000, events: 100, bytes: 100_000, batches: 1 });
      const message = eventMessageSchema.parse(JSON.parse(Buffer.from(batch?.message ?? []).toString('utf8')));
      ledger.take(message);
      return message.events;
    };
    await journal.append(passage(1));
    const [early] = await take(0);
    const earlier = { epoch: 7, wallMs: 1, monoMs: 500, clockTrusted: false };
    if (early === undefined) throw new Error('nothing was sent');
    expect(ledger.wallTimeOf(early)).toBeUndefined();
    clock.advance(60_000);
    await journal.append({ type: 'clock.trusted', payload: { source: 'ntp', vouched: true, offsetMs: noonMs - clock.monoMs(), epochs: [{ epoch: 7, offsetMs: noonMs - 90_000 }] } });
    await take(1);
    expect(ledger.wallTimeOf(early)).toBe(noonMs - 60_000);
    expect(ledger.wallTimeOf(earlier)).toBe(noonMs - 89_500);
    expect(ledger.wallTimeOf({ ...earlier, clockTrusted: true })).toBe(1);
    expect(ledger.report()).toMatchObject({ chainBroken: [], repeated: 0 });
  });
});
