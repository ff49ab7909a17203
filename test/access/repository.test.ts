import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isGateError } from '../../src/base/index.js';
import { AccessRepository, withinHours, type AccessRules, type AccessStore } from '../../src/access/index.js';
import { parsePlate } from '../../src/plate/index.js';
import { likeCharacter } from '../support/look-alikes.js';
import { HOUR, MemoryStore, TEN, drive, estate, request, rules } from './estate.js';

describe('who is inside', () => {
  it('knows since when, as what, and how many spaces are left', async () => {
    const gate = estate({ outside: { policy: 'admit-while-space' } });
    await drive(gate, '闽H12345', 'entry', TEN + 1);
    await drive(gate, '京A11111', 'entry', TEN);
    expect(gate.inside()).toMatchObject([
      { plate: '京A11111', sinceMs: TEN, visitorClass: 'resident', household: 'h1', untilMs: null },
      { plate: '闽H12345', sinceMs: TEN + 1, visitorClass: 'outside', household: null },
    ]);
    expect(gate.counts()).toEqual({
      inside: 2, spaces: 3, free: 1, unknownExits: 0,
      byClass: { emergency: 0, blocked: 0, resident: 1, visitor: 0, outside: 1, unplated: 0 },
    });
  });

  it('a visitor overstays when the pass ends', async () => {
    const gate = estate();
    await drive(gate, '苏E66666', 'entry');
    expect(gate.overstays(TEN + 2 * HOUR)).toEqual([]);
    expect(gate.overstays(TEN + 2 * HOUR + 1)).toMatchObject([{ plate: '苏E66666', visitorClass: 'visitor' }]);
  });

  it('a visitor let in by hand after the pass ended has no end of stay of its own', async () => {
    const gate = estate();
    await drive(gate, '苏E77777', 'entry', TEN, true);
    expect(gate.inside()).toMatchObject([{ visitorClass: 'visitor', untilMs: null }]);
  });

  it.each(['backed-out', 'refused', 'abandoned', 'unfinished'])('a passage that ended %s moves nobody', async (end) => {
    const gate = estate();
    await gate.recordPassage({ plate: parsePlate('京A11111').text, direction: 'entry', end, wallMs: TEN, passage: 'p' });
    expect(gate.inside()).toEqual([]);
  });

  it('who forced the boom is inside, or gone', async () => {
    const gate = estate();
    const plate = parsePlate('京A11111').text;
    await gate.recordPassage({ plate, direction: 'entry', end: 'forced', wallMs: TEN, passage: 'p1' });
    // Nothing had been decided: it counts as what the list says.
    expect(gate.inside()).toMatchObject([{ plate, visitorClass: 'resident', household: 'h1' }]);
    await gate.recordPassage({ plate, direction: 'exit', end: 'forced', wallMs: TEN, passage: 'p2' });
    expect(gate.inside()).toEqual([]);
    await gate.recordPassage({ plate: parsePlate('闽H12345').text, direction: 'entry', end: 'forced', wallMs: TEN, passage: 'p3' });
    expect(gate.inside()).toMatchObject([{ visitorClass: 'outside' }]);
  });

  it('takes the decision of the passage where it is handed over', async () => {
    const gate = estate();
    const plate = parsePlate('闽H12345').text;
    const decision = { outcome: 'admit', rule: 'outside-hours', visitorClass: 'outside', stayHours: 4 } as const;
    await gate.recordPassage({ plate, direction: 'entry', end: 'entered', wallMs: TEN, passage: 'p1', decision });
    expect(gate.inside()).toMatchObject([{ plate, untilMs: TEN + 4 * HOUR }]);
  });
});

describe('missed reads', () => {
  it('an entry booked twice is one car', async () => {
    const gate = estate();
    const record = { plate: parsePlate('京A11111').text, direction: 'entry', end: 'entered', wallMs: TEN, passage: 'p1' } as const;
    await gate.recordPassage(record);
    await gate.recordPassage({ ...record, wallMs: TEN + 1 });
    expect(gate.inside()).toMatchObject([{ sinceMs: TEN }]);
    await gate.recordPassage({ ...record, wallMs: TEN + 2, passage: 'p2' });
    expect(gate.inside()).toMatchObject([{ sinceMs: TEN + 2 }]);
  });

  it('an exit read a little wrong finds its car', async () => {
    const gate = estate({ outside: { policy: 'admit-while-space' } });
    await drive(gate, '闽H12345', 'entry');
    await drive(gate, '闽H1Z345', 'exit');
    expect(gate.counts()).toMatchObject({ inside: 0, unknownExits: 0 });
  });

  it("a listed neighbour's exit does not send a look-alike away", async () => {
    const gate = estate({ households: [{ id: 'a', spaces: 1, plates: ['闽H12345'] }, { id: 'b', spaces: 1, plates: ['闽H1Z345'] }] });
    await drive(gate, '闽H12345', 'entry');
    await drive(gate, '闽H1Z345', 'exit');
    expect(gate.inside()).toMatchObject([{ plate: '闽H12345' }]);
  });

  it('with two cars it could be, it is nobody in particular', async () => {
    const gate = estate({ outside: { policy: 'admit-while-space' } });
    await drive(gate, '闽H12345', 'entry');
    await drive(gate, '闽H17345', 'entry');
    await drive(gate, '闽H1Z345', 'exit');
    expect(gate.inside()).toHaveLength(2);
    expect(gate.counts()).toMatchObject({ inside: 1, unknownExits: 1 });
  });

  it('an exit nobody fits is the car that came in unread', async () => {
    const gate = estate();
    await drive(gate, null, 'entry', TEN, true);
    await drive(gate, '闽H12345', 'exit');
    expect(gate.counts()).toMatchObject({ inside: 0, unknownExits: 0 });
  });

  it('an unread exit frees a space, and the next entry of a car still on the list explains it', async () => {
    const gate = estate();
    await drive(gate, '京A11111', 'entry');
    await drive(gate, null, 'exit');
    await drive(gate, null, 'exit');
    expect(gate.counts()).toMatchObject({ inside: 0, unknownExits: 1, free: 3 });
    await drive(gate, '京A11111', 'entry', TEN + HOUR);
    expect(gate.counts()).toMatchObject({ inside: 1, unknownExits: 0 });
  });

  it('a known exit after an unknown one leaves nobody below zero', async () => {
    const gate = estate();
    await drive(gate, '京A11111', 'entry');
    await drive(gate, null, 'exit');
    await drive(gate, '京A11111', 'exit');
    expect(gate.counts()).toMatchObject({ inside: 0, unknownExits: 0 });
  });
});

describe('a restart', () => {
  it('brings back who is inside, with quota, anti-passback and end of stay', async () => {
    const store = new MemoryStore();
    const before = estate({ outside: { policy: 'admit-for-hours', hours: 1 } }, store);
    await drive(before, '京A11111', 'entry');
    await drive(before, '闽H12345', 'entry');
    await drive(before, null, 'entry', TEN, true);
    await drive(before, '苏E66666', 'entry', TEN + 1);
    await drive(before, '闽H99999', 'exit');
    const after = estate({ antiPassback: true }, store);
    await after.start();
    expect(after.inside()).toEqual(before.inside());
    expect(after.counts()).toEqual(before.counts());
    expect(after.decide(request('京AD22222'))).toMatchObject({ rule: 'resident-quota' });
    expect(after.decide(request('京A11111'))).toMatchObject({ rule: 'anti-passback' });
    expect(after.overstays(TEN + 2 * HOUR)).toMatchObject([{ plate: '闽H12345' }]);
    expect(after.overstays(TEN + 3 * HOUR)).toMatchObject([{ plate: '闽H12345' }, { plate: '苏E66666' }]);
  });

  it('leaves out rows it cannot read and says nothing wrong of the rest', async () => {
    const store = new MemoryStore();
    const good = { plate: '京A11111', sinceMs: TEN, passage: 'p', visitorClass: 'resident', household: 'h1', untilMs: null };
    store.rows.set('access/inside/京A11111', good);
    store.rows.set('access/inside/京A22222', { ...good, plate: '京A22222', household: 7, untilMs: 'x' });
    store.rows.set('access/inside/other', good);
    store.rows.set('access/inside/broken', { ...good, plate: 'broken' });
    store.rows.set('access/inside/number', { ...good, plate: 5 });
    store.rows.set('access/inside/京A33333', { ...good, plate: '京A33333', sinceMs: 'yesterday' });
    store.rows.set('access/inside/京A44444', { ...good, plate: '京A44444', passage: null });
    store.rows.set('access/inside/京A55555', { ...good, plate: '京A55555', visitorClass: 'king' });
    store.rows.set('access/unknown-exits', { count: 9 });
    store.rows.set('lane/x', { count: 9 });
    const gate = estate({}, store);
    await gate.start();
    expect(gate.inside().map(({ plate }) => plate)).toEqual(['京A11111', '京A22222']);
    expect(gate.counts()).toMatchObject({ inside: 0, unknownExits: 2 });
    const spoilt = estate({}, storeOf({ 'access/unknown-exits': { count: 'many' } }));
    await spoilt.start();
    expect(spoilt.counts()).toMatchObject({ inside: 0, unknownExits: 0 });
  });

  it('what happened before the store answered wins over what it says', async () => {
    const store = storeOf({ 'access/inside/京A11111': { plate: '京A11111', sinceMs: 1, passage: 'old', visitorClass: 'resident', household: 'h1', untilMs: null } });
    const gate = estate({}, store);
    await drive(gate, '京A11111', 'entry');
    await gate.start();
    expect(gate.inside()).toMatchObject([{ sinceMs: TEN }]);
  });

  it('decides although the store never answers, and tells the caller of a write that failed', async () => {
    const dead: AccessStore = {
      remember: () => Promise.reject(new Error('disk full')),
      recallAll: () => new Promise(() => undefined),
      forget: () => Promise.resolve(),
    };
    const gate = estate({}, dead);
    void gate.start();
    expect(gate.decide(request('川X1234应急'))).toMatchObject({ outcome: 'admit' });
    await expect(drive(gate, '京A11111', 'entry')).rejects.toThrow('disk full');
    expect(gate.counts().inside).toBe(1);
  });

  it('over random traffic the store always holds exactly what the gate knows', async () => {
    const plates = ['京A11111', '京AD22222', '闽H12345', '闽H1Z345', '苏E66666', null];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ plate: fc.constantFrom(...plates), direction: fc.constantFrom('entry' as const, 'exit' as const), byHand: fc.boolean() }), { maxLength: 40 }),
        async (traffic) => {
          const store = new MemoryStore();
          const gate = estate({ outside: { policy: 'admit-while-space' }, spaces: 2 }, store);
          let at = TEN;
          for (const { plate, direction, byHand } of traffic) {
            at += 1_000;
            await drive(gate, plate, direction, at, byHand);
            const { inside, free, byClass, unknownExits } = gate.counts();
            expect(inside).toBeGreaterThanOrEqual(0);
            expect(inside + unknownExits).toBe(Object.values(byClass).reduce((sum, count) => sum + count, 0));
            expect(free).toBe(Math.max(0, 2 - inside));
            expect(gate.inside().filter(({ household }) => household === 'h1').length).toBeLessThanOrEqual(1);
          }
          const again = estate({ outside: { policy: 'admit-while-space' }, spaces: 2 }, store);
          await again.start();
          expect(again.counts()).toEqual(gate.counts());
          expect(again.inside()).toEqual(gate.inside());
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('lists', () => {
  it.each<[Partial<AccessRules>, string]>([
    [{ blocked: [{ plate: '京A1234', reason: 'x' }] }, 'ACCESS_LIST_INVALID: access.blocked[0].plate: "京A1234" has 6 characters; a plate has 7 characters, with new energy or 应急 8, e.g. 京A12345'],
    [{ emergency: [{ plate: 'x' }] }, 'access.emergency[0].plate: "x" has 1 characters'],
    [{ visitors: [{ plate: '京A12345', from: 'today', until: '2026-07-01T12:00:00+08:00' }] }, 'access.visitors[0].from: "today" is no time; write it with its offset, e.g. 2026-05-01T08:00:00+08:00'],
    [{ households: [{ id: 'a', spaces: 1, plates: ['京A12345', '京A1234!'] }] }, 'access.households[0].plates[1]: "京A1234!"'],
    [{ households: [{ id: 'a', spaces: 1, plates: ['京A12345'], hours: { from: '7:30', to: '24:00' } }] }, 'access.households[0].hours.from: "7:30" is no time of day; write HH:MM, e.g. 07:30'],
    [{ households: [{ id: 'a', spaces: 1, plates: ['京A12345'], hours: { from: '07:30', to: '24:01' } }] }, 'access.households[0].hours.to: "24:01"'],
    [{ households: [{ id: 'a', spaces: 1, plates: ['京A12345'] }, { id: 'b', spaces: 1, plates: ['京a·12345'] }] }, 'access.households[1].plates[0]: 京A12345 already belongs to household a; a plate has one household, e.g. only b'],
  ])('%j names the entry', (changes, message) => {
    expect(() => estate(changes)).toThrow(message);
    try {
      estate(changes);
    } catch (error) {
      expect(isGateError(error, 'ACCESS_LIST_INVALID')).toBe(true);
    }
  });

  it('new lists are in force at once; broken ones leave the old in force', async () => {
    const gate = estate();
    await drive(gate, '京A11111', 'entry');
    expect(() => gate.replaceRules(rules({ blocked: [{ plate: '?', reason: 'x' }] }))).toThrow('ACCESS_LIST_INVALID');
    expect(gate.decide(request('京A11111'))).toMatchObject({ rule: 'resident' });
    gate.replaceRules(rules({ households: [] }));
    expect(gate.decide(request('京A11111'))).toMatchObject({ rule: 'outside-refuse' });
    expect(gate.inside()).toHaveLength(1);
  });

  it('without a list of emergency plates nothing is missing', () => {
    expect(new AccessRepository({ rules: rules({ emergency: undefined }), timezone: 'UTC', store: new MemoryStore() }).decide(request('川X1234应急'))).toMatchObject({ outcome: 'admit' });
  });

  it('an unknown timezone is refused with an example', () => {
    expect(() => new AccessRepository({ rules: rules(), timezone: 'Mars/Olympus', store: new MemoryStore() })).toThrow('CONFIG_INVALID: site.timezone: "Mars/Olympus" is not known; write an IANA name, e.g. Asia/Shanghai');
  });

  it('looks 100,000 plates up, exactly and by likeness', () => {
    const plates = Array.from({ length: 100_000 }, (_, at) => `京${'ABCDEFGHJK'[at % 10] ?? 'A'}${String(at).padStart(5, '0')}`);
    const gate = estate({ households: plates.map((plate, at) => ({ id: `h${at}`, spaces: 1, plates: [plate] })), visitors: [], blocked: [] });
    expect(gate.decide(request('京A00000'))).toMatchObject({ outcome: 'admit', rule: 'resident' });
    expect(gate.decide(request(`${likeCharacter('京')}A12340`))).toMatchObject({ matched: 'look-alike', listedPlate: '京A12340' });
  });

  it('remembers only so many open decisions', () => {
    const gate = estate({ outside: { policy: 'admit-while-space' }, spaces: 100_000 });
    for (let at = 0; at < 400; at += 1) gate.decide(request(`闽H${String(at).padStart(5, '0')}`));
    expect(gate.decide(request('京A11111', { laneId: 'north' }))).toMatchObject({ outcome: 'admit' });
  });
});

describe('hours', () => {
  it('knows the minute of the local day, summer time included', () => {
    const gate = (timezone: string): AccessRepository => new AccessRepository({ rules: rules(), timezone, store: new MemoryStore() });
    expect(gate('Asia/Shanghai').minuteOfDay(TEN)).toBe(600);
    expect(gate('Asia/Shanghai').minuteOfDay(Date.parse('2026-07-01T00:00:00+08:00'))).toBe(0);
    expect(gate('Europe/Berlin').minuteOfDay(Date.parse('2026-07-01T12:00:00Z'))).toBe(14 * 60);
    expect(gate('Europe/Berlin').minuteOfDay(Date.parse('2026-01-01T12:00:00Z'))).toBe(13 * 60);
    expect(gate('Europe/Berlin').timezone).toBe('Europe/Berlin');
  });

  it.each([
    [{ from: 480, to: 1_080 }, 480, true],
    [{ from: 480, to: 1_080 }, 1_080, false],
    [{ from: 480, to: 1_080 }, 479, false],
    [{ from: 0, to: 1_440 }, 1_439, true],
    [{ from: 1_200, to: 480 }, 0, true],
    [{ from: 1_200, to: 480 }, 480, false],
    [{ from: 1_200, to: 480 }, 1_200, true],
    [{ from: 600, to: 600 }, 0, true],
  ])('%j at minute %i: %s', (window, minute, inside) => {
    expect(withinHours(minute, window)).toBe(inside);
  });
});

function storeOf(rows: Readonly<Record<string, Parameters<AccessStore['remember']>[1]>>): MemoryStore {
  const store = new MemoryStore();
  for (const [key, value] of Object.entries(rows)) store.rows.set(key, value);
  return store;
}
