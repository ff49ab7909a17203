import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listDigest, type ListEntry, type LocalEdit } from '../../src/lists/index.js';
import { LedgerFile } from '../../src/platform/index.js';
import { PlatformLists, type GateName, type ListBooks, type ListReport } from '../../src/uplink/index.js';
import { atEnd, freshDirectory } from './support.js';

const east: GateName = { site: 'laurel', gate: 'east' };
const household = (id: string, plates: string[]): ListEntry => ({ kind: 'household', id, spaces: 1, plates });
const blocked = (plate: string, reason = 'unpaid'): ListEntry => ({ kind: 'blocked', plate, reason });
const by = { reason: 'asked at the gate', by: 'Li Ming', issuer: 'web:guard' };
const block = (id: string, plate: string, atMs: number): LocalEdit => ({ id, plate, atMs, action: 'add', subject: 'blocked', ...by });
const unblock = (id: string, plate: string, atMs: number): LocalEdit => ({ id, plate, atMs, action: 'remove', subject: 'blocked', ...by });
const admit = (id: string, plate: string, household: string): LocalEdit => ({ id, plate, atMs: 1, action: 'add', subject: 'resident', household, ...by });
const pass: LocalEdit = { id: 'pass-1', plate: '京A88888', atMs: 1, action: 'add', subject: 'visitor', from: '2026-01-01T00:00:00Z', until: '2099-01-01T00:00:00Z', ...by };

/** A platform's lists, and what goes to and fro. */
class Office {
  readonly lists: PlatformLists;
  readonly sent: object[] = [];
  readonly #hearers = new Map<string, (from: GateName, message: unknown) => void>();

  constructor(books?: ListBooks) {
    const line = {
      hear: (topic: string, hearer: (from: GateName, message: unknown) => void) => {
        this.#hearers.set(topic, hearer);
        return () => this.#hearers.delete(topic);
      },
      post: (_to: GateName, _topic: string, message: object) => void this.sent.push(message),
    };
    this.lists = new PlatformLists(line, books === undefined ? {} : { books });
    this.lists.start();
  }

  get entries(): readonly ListEntry[] {
    return this.lists.entries('laurel', 'east');
  }

  send(...entries: readonly ListEntry[]): void {
    this.lists.sendList('laurel', 'east', { entries });
  }

  report(held: { readonly version: number; readonly entries?: readonly ListEntry[] } | null, edits: readonly LocalEdit[] = [], wants: ListReport['wants'] = null): void {
    const counts = { entries: 0, households: 0, plates: 0, visitors: 0, blocked: 0 };
    this.#hear('list/report', { epoch: 1, atMs: 1, held: held === null ? null : { version: held.version, digest: listDigest(held.entries ?? this.entries), counts, ignored: { count: 0, first: [] } }, wants, edits: { count: edits.length, first: edits } });
  }

  /** The event of an edit. */
  event(seq: number, payload: object, historical = true): void {
    const hash = '0'.repeat(64);
    this.#hear('event', { historical, lost: [], events: [{ id: `east-3-${seq}`, epoch: 3, seq, type: 'list.edited', lane: null, passage: null, wallMs: 1, monoMs: 1, clockTrusted: true, payload, previousHash: hash, hash }] });
  }

  #hear(topic: string, message: object): void {
    this.#hearers.get(topic)?.(east, message);
  }
}

describe('of the changes of one plate the newest counts at the platform, whatever comes first:', () => {
  const ledger = (): { open: () => LedgerFile } => {
    const path = join(freshDirectory(), 'ledger.db');
    return {
      open: () => {
        const file = LedgerFile.open(path, () => 1);
        atEnd(() => file.close());
        return file;
      },
    };
  };
  const [blocking, unblocking] = [block('b', '京A11111', 1_000), unblock('u', '京A11111', 2_000)];

  it('the report of the newest, then the backlog', () => {
    const office = new Office();
    office.send(household('h1', ['京A11111']), blocked('京A11111'));
    office.report({ version: 1 }, [unblocking]);
    office.event(10, blocking);
    office.event(11, unblocking);
    office.event(10, blocking);
    expect(office.entries).toEqual([household('h1', ['京A11111'])]);
  });

  it('a live event, then the backlog', () => {
    const office = new Office();
    office.send(blocked('京A11111'));
    office.event(20, unblocking, false);
    office.event(10, blocking);
    expect(office.entries).toEqual([]);
  });

  it('the backlog in order', () => {
    const office = new Office();
    office.send();
    office.event(10, blocking);
    expect(office.entries).toEqual([blocked('京A11111', by.reason)]);
    office.event(11, unblocking);
    office.report({ version: 3 });
    expect(office.entries).toEqual([]);
  });

  it('the platform starts anew between the newest and the older one', () => {
    const { open } = ledger();
    const before = new Office(open().lists);
    before.send(household('h1', []), blocked('京A11111'), blocked('京A22222'));
    before.report({ version: 1 }, [unblocking]);
    before.event(20, unblock('u2', '京A22222', 500), false);
    const after = new Office(open().lists);
    after.event(9, block('b2', '京A22222', 400));
    after.event(10, blocking);
    after.event(11, unblocking);
    const again = new Office(open().lists);
    again.event(10, { ...blocking, atMs: 9_000 });
    again.report({ version: 3 });
    expect(again.entries).toEqual([household('h1', [])]);
    again.send(...again.entries, blocked('京A33333'));
    expect(again.sent).toMatchObject([{ kind: 'delta', base: 3, version: 4, put: [blocked('京A33333')] }]);
  });

  it("the gate's clock was set back between them", () => {
    const office = new Office();
    office.send();
    // Only the report has told of it, with a lower time: what settles the order is its event.
    office.report({ version: 1 }, [{ ...unblocking, atMs: 10 }]);
    office.event(10, blocking);
    office.event(11, { ...unblocking, atMs: 10 });
    expect(office.entries).toEqual([]);
    // And one that stands over the list that took in the one before was made after it.
    office.report({ version: office.lists.sendList('laurel', 'east', { entries: [] }).version }, [block('c', '京A11111', 5)]);
    expect(office.entries).toEqual([blocked('京A11111', by.reason)]);
  });
});

describe('a platform', () => {
  it('that started anew with a list in which a pass is already goes on answering the gate, and names the pass', () => {
    const office = new Office();
    const { id, plate, from, until } = pass;
    office.lists.know('laurel', 'east', { version: 7, entries: [{ kind: 'visitor', id, plate, from, until }] });
    office.report(null, [pass], 'full');
    office.report(null, [pass], 'full');
    expect(office.sent).toHaveLength(2);
    for (const message of office.sent) expect(message).toMatchObject({ kind: 'full', version: 8, entries: [{ id: 'pass-1' }], merged: ['pass-1'] });
  });

  it('leaves to the gate what its list cannot say, until it can', () => {
    const office = new Office();
    const full = Array.from({ length: 100 }, (_, at) => `京A10${String(at).padStart(3, '0')}`);
    const changes = [admit('e1', '京A77777', 'own'), admit('e2', '京A88888', 'full'), block('e3', '京A99999', 1)];
    office.send(household('full', full));
    office.report({ version: 1 }, changes);
    expect(office.sent.at(-1)).toMatchObject({ version: 2, put: [{ plate: '京A99999' }], merged: ['e3'] });
    expect(office.lists.waitingEdits('laurel', 'east')).toEqual(changes.slice(0, 2));
    office.send(household('full', full.slice(1)), household('own', []));
    office.report({ version: 3 }, changes.slice(0, 2));
    expect(office.entries).toEqual([household('full', [...full.slice(1), '京A88888']), household('own', ['京A77777'])]);
    expect(office.sent.at(-1)).toMatchObject({ version: 4, merged: ['e1', 'e2'] });
  });

  it('changes no list that it does not know', () => {
    const office = new Office();
    office.report({ version: 5, entries: [household('h1', ['京A11111'])] }, [block('e1', '京A99999', 1)]);
    expect(office.sent).toEqual([]);
    office.send(household('h1', ['京A11111']));
    office.report({ version: 6 }, [block('e1', '京A99999', 1)]);
    expect(office.sent.at(-1)).toMatchObject({ version: 7, put: [{ plate: '京A99999' }], merged: ['e1'] });
  });

  it('set back behind the gate, or to another list of the same version, goes on above it with the whole list', () => {
    for (const version of [5, 3]) {
      const office = new Office();
      office.lists.know('laurel', 'east', { version: 3, entries: [blocked('京A11111')] });
      office.report({ version, entries: [blocked('京A22222')] });
      expect(office.sent).toMatchObject([{ kind: 'full', version: version + 1, entries: [blocked('京A11111')] }]);
      office.report({ version: version + 1 });
      expect(office.sent).toHaveLength(1);
    }
  });

  it('takes no harm from a change of a form it does not know', () => {
    const office = new Office();
    office.send(blocked('京A11111'));
    office.event(10, { ...block('e1', '京A22222', 1), subject: 'lodger' });
    office.event(11, unblock('e2', '京A11111', 2));
    expect(office.entries).toEqual([]);
  });
});
