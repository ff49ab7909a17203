import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { GENESIS_HASH, SqliteJournal, hashOfEvent } from '../../src/journal/index.js';
import { LedgerFile } from '../../src/platform/index.js';
import { ReferencePlatform, type EventMessage, type WireEvent } from '../../src/uplink/index.js';
import { atEnd, drained, freshDirectory, online, passage, settings, startGate, startMosquitto, startPlatform, until } from '../uplink/support.js';

const name = { site: 'laurel', gate: 'east' };
const wallMs = (): number => 1_767_225_600_000;

function chain(first: number, last: number, epoch: number, after = GENESIS_HASH): WireEvent[] {
  const made: WireEvent[] = [];
  for (let seq = first; seq <= last; seq += 1) {
    const plain = { id: `laurel-east-${epoch}-${seq}`, epoch, seq, type: 'passage.read', lane: 'entry', passage: null, wallMs: seq, monoMs: seq, clockTrusted: true, payload: { plate: '京QM86H8' }, previousHash: made.at(-1)?.hash ?? after };
    made.push({ ...plain, hash: hashOfEvent({ ...plain, hash: '' }) });
  }
  return made;
}

const message = (events: WireEvent[], historical = true): EventMessage => ({ historical, lost: [], events });
const opened = (path: string): LedgerFile => {
  const file = LedgerFile.open(path, wallMs);
  atEnd(() => file.close());
  return file;
};
/** Takes messages as one run of a platform does. */
function take(file: LedgerFile, ...messages: EventMessage[]): void {
  const ledger = file.open(name);
  for (const one of messages) file.keep(name, ledger, ledger.take(one), one.historical);
}

describe('a ledger on disk', () => {
  it('goes on after every end where it was, and compares what comes again with all it ever had', () => {
    const path = join(freshDirectory(), 'ledger.db');
    const file = opened(path);
    const events = chain(1, 5_000, 3);
    for (let at = 0; at < 5_000; at += 250) take(file, message(events.slice(at, at + 250)));
    take(file, message(chain(5_003, 5_004, 3), false));
    const [far] = chain(7, 7, 3);
    if (far === undefined) throw new Error('an event');
    take(file, message([far]), message(events.slice(9, 11)));
    expect(LedgerFile.look(path).gates()).toMatchObject([{ ...name, seenMs: wallMs(), status: null, ledger: { events: 5_002, through: 5_000, highest: 5_004, missing: [{ first: 5_001, last: 5_002 }], conflicting: [7], repeated: 2, chainBroken: [] } }]);
    const rows = z.object({ rows: z.number() }).parse(new SqliteDatabase(path, { readonly: true }).prepare("SELECT count(*) AS rows FROM event WHERE type = 'passage.read' AND historical = 1").get());
    expect(rows.rows).toBe(5_000);
  });

  it('compares what comes again from far behind with all it has also in the run that first met the gate', () => {
    const file = opened(join(freshDirectory(), 'ledger.db'));
    const events = chain(1, 3_000, 3);
    const [other] = chain(7, 7, 3);
    if (other === undefined) throw new Error('an event');
    take(file, message(events), message(events.slice(0, 3)), message([other]));
    expect(file.gates()).toMatchObject([{ ledger: { events: 3_000, through: 3_000, repeated: 3, conflicting: [7] } }]);
  });

  it('of the version before is brought to this one with all that is in it, and can be looked at without', () => {
    const path = join(freshDirectory(), 'ledger.db');
    take(opened(path), message(chain(1, 20, 3)));
    const old = new SqliteDatabase(path);
    old.exec('DROP TABLE edit; PRAGMA user_version = 1');
    old.close();
    expect(LedgerFile.look(path).gates()).toMatchObject([{ ...name, ledger: { through: 20 } }]);
    const file = opened(path);
    const edit = { subject: 'blocked', plate: '京A11111', id: 'e1', atMs: 5, event: null, version: 2 } as const;
    file.lists.keep(name, { list: { version: 2, digest: 'd', entries: [] }, edits: [edit] });
    expect(opened(path).lists.open(name)).toEqual({ list: { version: 2, digest: 'd', entries: [] }, edits: [edit] });
    expect(file.gates()).toMatchObject([{ ledger: { events: 20, through: 20 } }]);
  });

  it('keeps two journals of one gate apart, what came early too', () => {
    const path = join(freshDirectory(), 'ledger.db');
    const fresh = chain(1, 30, 900);
    take(opened(path), message(chain(1, 20, 3)), message(fresh.slice(25), false));
    take(opened(path), message(fresh.slice(0, 25)));
    const ledger = opened(path).gates()[0]?.ledger;
    expect(ledger).toMatchObject({ events: 30, through: 30, conflicting: [], missing: [], earlier: [{ events: 20, through: 20, highest: 20 }] });
    const rows = z.array(z.object({ journal: z.number(), count: z.number() })).parse(new SqliteDatabase(path, { readonly: true }).prepare('SELECT journal, count(*) AS count FROM event GROUP BY journal ORDER BY journal').all());
    expect(rows).toEqual([{ journal: 0, count: 20 }, { journal: 1, count: 30 }]);
  });

  it('is refused where it is no ledger', () => {
    const path = join(freshDirectory(), 'other.db');
    const other = new SqliteDatabase(path);
    other.exec('CREATE TABLE x (y); PRAGMA user_version = 7');
    other.close();
    expect(() => LedgerFile.open(path, wallMs)).toThrow(/LEDGER_UNREADABLE.*version 7/u);
    expect(() => LedgerFile.look(path)).toThrow(/LEDGER_UNREADABLE/u);
  });
});

describe('a platform that keeps its ledger', () => {
  it('acknowledges nothing that could not be kept, and all of it once it can', async () => {
    const broker = await startMosquitto();
    const file = opened(join(freshDirectory(), 'ledger.db'));
    let full = true;
    const platform = await startPlatform({
      url: broker.url,
      books: {
        open: (of) => file.open(of),
        keep: (...given) => {
          if (full) throw new Error('no space left on device');
          file.keep(...given);
        },
      },
    });
    const refused: unknown[] = [];
    platform.hear('event', (_from, said) => refused.push(said));
    const gate = await startGate(settings(broker.url), { timing: { backoffMs: 30, backoffMostMs: 200, stableMs: 500, resendMs: 200, connectTimeoutMs: 2_000 } });
    await online(gate);
    await Promise.all(Array.from({ length: 40 }, (_, number) => gate.journal.append(passage(number))));
    await until(() => refused.length >= 4, { what: 'events that are sent again' });
    expect((await gate.journal.outbox()).acknowledged).toBe(0);
    full = false;
    await drained(gate);
    expect(file.gates()[0]?.ledger).toMatchObject({ events: 40, through: 40, missing: [], conflicting: [], chainBroken: [] });
  });
});

describe('a gate with a new card', () => {
  it('is neither a conflict at the platform nor acknowledged by what the platform had of the old one', async () => {
    const broker = await startMosquitto();
    const platform = await startPlatform({ url: broker.url });
    const old = await startGate(settings(broker.url));
    await Promise.all(Array.from({ length: 100 }, (_, number) => old.journal.append(passage(number))));
    await drained(old);
    await old.uplink.stop();

    // The new journal is far ahead of the old one before it meets the platform, and an acknowledgement of the old one is about.
    const stale = new ReferencePlatform({ url: broker.url, log: silentLog, acknowledge: false, takes: [] });
    await stale.start();
    atEnd(() => stale.stop());
    platform.acknowledge(false);
    const journal = new SqliteJournal({ directory: freshDirectory(), gateId: 'east', clock: systemClock, log: silentLog, retention: { eventsDays: 365, photographsDays: 30, photographsMB: 100 }, ballastMB: 0, firstEpoch: 'unused' });
    const { epoch } = await journal.start();
    atEnd(() => journal.stop());
    await Promise.all(Array.from({ length: 300 }, (_, number) => journal.append(passage(number))));
    const fresh = await startGate(settings(broker.url), { journal, epoch, timing: { backoffMs: 30, backoffMostMs: 200, stableMs: 500, resendMs: 300, connectTimeoutMs: 2_000 } });
    await online(fresh);
    stale.post(name, 'ack', { epoch: 1, seq: 100 });
    await until(() => fresh.uplink.state().lastError?.message.includes('another journal of this gate') === true, { what: 'the refused acknowledgement' });
    expect((await journal.outbox()).acknowledged).toBe(0);
    platform.acknowledge(true);
    await drained(fresh);
    expect(platform.ledger('laurel', 'east')).toMatchObject({ events: 300, through: 300, conflicting: [], chainBroken: [], missing: [], earlier: [{ events: 100, through: 100 }] });
  });
});
