import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { listDigest, type ListEntry } from '../../src/lists/index.js';
import { parsePlate } from '../../src/plate/index.js';
import { blocked, delta, digestInWords, freshDirectory, fullList, household, message, openBox, visitor, type Box } from './support.js';

const first: readonly ListEntry[] = [household('h1', ['京A11111', '京A22222']), household('h2', ['沪B33333'], 2), visitor('v1', '苏E66666'), blocked('皖F99999')];
const without = (entries: readonly ListEntry[], ...kinds: string[]): readonly ListEntry[] => entries.filter(({ kind }) => !kinds.includes(kind));

async function takeAll(box: Box, messages: readonly Uint8Array[]): Promise<readonly string[]> {
  const kinds: string[] = [];
  for (const one of messages) {
    const outcome = await box.keeper.take(one);
    kinds.push(outcome.kind === 'refused' ? outcome.code : outcome.kind);
  }
  return kinds;
}

async function boxWith(entries: readonly ListEntry[], directory = freshDirectory(), ...changes: Parameters<typeof openBox>[1][]): Promise<Box> {
  const box = await openBox(directory, ...changes);
  await takeAll(box, fullList(1, entries));
  return box;
}

describe('the digest', () => {
  it('is what the words of the contract give', () => {
    const entries = [...first, { ...household('a', ['京A00001']), hours: { to: '08:00', from: '20:00' }, future: { b: 1, a: [true, null] } }];
    expect(listDigest(entries)).toBe(digestInWords(entries));
    expect(listDigest([...entries].reverse())).toBe(digestInWords(entries));
    expect(listDigest([])).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });
});

describe('a full list', () => {
  it('comes into force with its last part and not before, whatever the order and however often a part comes', async () => {
    const box = await openBox(freshDirectory());
    const [one = new Uint8Array(), two = new Uint8Array()] = fullList(3, first);
    expect(await takeAll(box, [two, two])).toEqual(['waiting', 'waiting']);
    expect(box.decide('皖F99999').rule).toBe('outside-refuse');
    expect(await takeAll(box, [one, one, two])).toEqual(['applied', 'repeated', 'repeated']);
    expect(box.decide('京A11111')).toMatchObject({ outcome: 'admit', rule: 'resident', note: 'flat h1' });
    expect(box.decide('苏E66666')).toMatchObject({ outcome: 'admit', rule: 'visitor-pass', note: 'plumber' });
    expect(box.decide('皖F99999')).toMatchObject({ outcome: 'refuse', rule: 'blocked-list', note: 'damaged the boom' });
    expect(box.decide('京A77777').rule).toBe('outside-refuse');
    const counts = { entries: 4, households: 2, plates: 5, visitors: 1, blocked: 1 };
    expect((await box.events('list.applied')).map(({ payload }) => payload)).toMatchObject([{ version: 3, digest: digestInWords(first), form: 'full', counts }]);
    expect(box.keeper.held()).toMatchObject({ version: 3, counts });
  });

  it('gives way to a newer one begun before it was complete; parts of the older then change nothing', async () => {
    const box = await openBox(freshDirectory());
    const [old = new Uint8Array(), oldEnd = new Uint8Array()] = fullList(1, first);
    const [fresh = new Uint8Array(), freshEnd = new Uint8Array()] = fullList(2, [...first.slice(0, 3), blocked('京A11111')]);
    expect(await takeAll(box, [old, fresh, oldEnd, freshEnd])).toEqual(['waiting', 'waiting', 'repeated', 'applied']);
    expect(box.decide('京A11111').rule).toBe('blocked-list');
    expect(box.decide('皖F99999').rule).toBe('outside-refuse');
  });

  it('that lost a part is given up, and says which one', async () => {
    const box = await boxWith(first);
    await takeAll(box, fullList(2, [], 2).slice(1));
    await takeAll(box, fullList(2, [...first, blocked('京A88888')]).slice(1));
    const outcome = await box.keeper.abandon();
    expect(outcome).toMatchObject({ kind: 'refused', code: 'LIST_INCOMPLETE', version: 2 });
    expect(JSON.stringify(outcome)).toContain('1 of 3 parts did not come: 1;');
    expect(box.decide('皖F99999').rule).toBe('blocked-list');
    expect((await box.keeper.abandon()).kind).toBe('repeated');
  });

  it('with a wrong digest, a key twice or a fault in an entry leaves the one before in force and says what is wrong', async () => {
    const box = await boxWith(first);
    const wrong = [
      message({ kind: 'full', version: 2, digest: '0'.repeat(64), part: 1, parts: 1, entries: [] }),
      ...fullList(2, [household('h1', []), household('h1', ['京A55555'])]),
      message({ kind: 'full', version: 2, digest: '0'.repeat(64), part: 1, parts: 1, entries: [{ kind: 'household', id: 'h9', plates: [] }] }),
      message({ kind: 'full', version: 1, digest: '0'.repeat(64), part: 1, parts: 1, entries: [] }),
      Buffer.from('{'),
    ];
    expect(await takeAll(box, wrong)).toEqual(['LIST_DIGEST_WRONG', 'LIST_INVALID', 'LIST_INVALID', 'LIST_CONFLICT', 'LIST_INVALID']);
    expect(box.decide('京A11111').rule).toBe('resident');
    const refused = await box.events('list.refused');
    expect(refused).toHaveLength(5);
    expect(refused.map(({ payload }) => payload['version'])).toEqual([2, 2, 2, 1, null]);
    expect(refused[2]?.payload['reason']).toContain('entries.0.spaces');
    expect(await takeAll(box, fullList(2, []))).toEqual(['applied']);
    expect(box.decide('京A11111').rule).toBe('outside-refuse');
  });

  it('keeps entries it cannot use, and names them', async () => {
    const box = await boxWith([household('h1', ['京A11111', 'no plate']), household('h2', ['京A11111'])]);
    expect(box.decide('京A11111')).toMatchObject({ rule: 'resident', note: 'flat h1' });
    expect(box.keeper.held()?.ignored).toMatchObject({ count: 2, first: [{ key: 'household/h1' }, { key: 'household/h2' }] });
  });

  it('sets how many cars of a household may be in', async () => {
    const box = await boxWith(first);
    await box.access.recordPassage({ plate: parsePlate('京A11111').text, direction: 'entry', end: 'entered', wallMs: Date.now(), passage: 'p1', decision: box.decide('京A11111') });
    expect(box.decide('京A22222')).toMatchObject({ outcome: 'refuse', rule: 'resident-quota' });
    const more = [household('h1', ['京A11111', '京A22222'], 2), ...first.slice(1)];
    expect((await box.keeper.take(delta(1, 2, more, { put: more.slice(0, 1) }))).kind).toBe('applied');
    expect(box.decide('京A22222')).toMatchObject({ outcome: 'admit', rule: 'resident' });
  });

  it('forgives a look-alike of one of its plates', async () => {
    const box = await boxWith([household('h1', ['京AD2345'])]);
    expect(box.decide('京A02345')).toMatchObject({ outcome: 'admit', matched: 'look-alike', listedPlate: parsePlate('京AD2345').text });
  });
});

describe('a change', () => {
  const after = [...without(first, 'visitor', 'blocked'), blocked('京A88888')];
  const change = delta(1, 2, after, { put: [blocked('京A88888')], remove: ['visitor/v1', 'blocked/皖F99999'] });

  it('puts and removes by key', async () => {
    const box = await boxWith(first);
    expect(await takeAll(box, [change, change])).toEqual(['applied', 'repeated']);
    expect(box.decide('京A88888').rule).toBe('blocked-list');
    expect(box.decide('皖F99999').rule).toBe('outside-refuse');
    expect(box.decide('苏E66666').rule).toBe('outside-refuse');
    expect(box.decide('沪B33333').rule).toBe('resident');
  });

  it('from a version that is not held, or with a wrong digest, leaves the list as it is', async () => {
    const box = await openBox(freshDirectory());
    expect(await takeAll(box, [change])).toEqual(['LIST_BASE_UNKNOWN']);
    await takeAll(box, fullList(1, first));
    expect(await takeAll(box, [delta(2, 3, after, {}), delta(1, 2, after, { put: [blocked('京A88888')] })])).toEqual(['LIST_BASE_UNKNOWN', 'LIST_DIGEST_WRONG']);
    expect(box.decide('皖F99999').rule).toBe('blocked-list');
    expect(await takeAll(box, [change])).toEqual(['applied']);
  });
});

describe('on disk', () => {
  it('the last good list works without a network, start after start', async () => {
    const directory = freshDirectory();
    await (await boxWith(first, directory)).stop();
    await (await openBox(directory)).stop();
    const box = await openBox(directory);
    expect(box.decide('皖F99999').rule).toBe('blocked-list');
    expect(box.keeper.held()).toMatchObject({ version: 1, digest: digestInWords(first) });
    expect(await box.events('list.applied')).toHaveLength(1);
  });

  it('a cut in the middle of a list leaves the one before', async () => {
    const directory = freshDirectory();
    const box = await boxWith(first, directory);
    await takeAll(box, fullList(2, [...first, blocked('京A11111')]).slice(0, 2));
    await box.stop();
    writeFileSync(join(directory, 'lists', 'new.tmp'), '{"version":2,"digest":"');
    const again = await openBox(directory);
    expect(again.keeper.held()?.version).toBe(1);
    expect(again.decide('京A11111').rule).toBe('resident');
    expect(await takeAll(again, fullList(2, [...first, blocked('京A11111')]))).toEqual(['waiting', 'waiting', 'applied']);
  });

  it('a damaged file gives way to the list before, is put aside, and is on record', async () => {
    const directory = freshDirectory();
    const box = await boxWith(first, directory);
    await takeAll(box, fullList(2, [blocked('京A11111')]));
    await box.stop();
    const file = join(directory, 'lists', 'list-2.jsonl');
    writeFileSync(file, readFileSync(file, 'utf8').replace('京A11111', '京A11112'));
    const again = await openBox(directory);
    expect(again.decide('京A11111').rule).toBe('resident');
    expect((await again.events('list.damaged')).map(({ payload }) => payload)).toMatchObject([{ file: 'list-2.jsonl', fallback: 1 }]);
    expect((await again.events('list.applied')).at(-1)?.payload).toMatchObject({ version: 1, form: 'stored' });
    expect(readdirSync(join(directory, 'lists')).sort()).toEqual(['damaged.jsonl', 'list-1.jsonl']);
    expect(await takeAll(again, fullList(2, [blocked('京A11111')]))).toEqual(['applied']);
  });

  it('that refuses to be written keeps the list before in force', async () => {
    const directory = freshDirectory();
    writeFileSync(join(directory, 'lists'), 'a file where the folder should be');
    const box = await openBox(directory);
    expect(await takeAll(box, fullList(1, first, 10))).toEqual(['LIST_WRITE_FAILED']);
    expect(box.decide('京A11111').rule).toBe('outside-refuse');
  });
});

describe('lists of the configuration', () => {
  const configured = {
    households: [{ id: 'own', spaces: 1, plates: ['京A11111', '粤C44444'] }],
    blocked: [{ plate: '京A55555', reason: 'the estate says so' }],
    emergency: [{ plate: '京G12312', note: 'ambulance' }],
  };

  it('are the base: the household of the platform goes before, a block of either counts', async () => {
    const box = await boxWith([...first, household('h5', ['京A55555']), blocked('京G12312')], freshDirectory(), configured);
    expect(box.decide('京A11111')).toMatchObject({ rule: 'resident', note: 'flat h1' });
    expect(box.decide('粤C44444')).toMatchObject({ rule: 'resident', note: 'own' });
    expect(box.decide('京A55555')).toMatchObject({ rule: 'blocked-list', note: 'the estate says so' });
    expect(box.decide('京G12312').rule).toBe('emergency-class');
    // And they are not changed from the gate.
    const remove = (plate: string, subject: 'blocked' | 'resident'): Promise<unknown> => box.keeper.edit({ action: 'remove', subject, plate, reason: 'x', by: 'Li', issuer: 'web:li' });
    await expect(remove('京A55555', 'blocked')).rejects.toThrow(/LIST_EDIT_REFUSED.*access\.blocked/u);
    await expect(remove('粤C44444', 'resident')).rejects.toThrow(/LIST_EDIT_REFUSED.*access\.households/u);
  });
});

describe('a change made at the gate', () => {
  const by = { reason: 'asked at the gate', by: 'Li Ming', issuer: 'web:guard' };

  it('counts at once, is on record with its person and reason, and outlives a restart', async () => {
    const directory = freshDirectory();
    const box = await boxWith(first, directory);
    await box.keeper.edit({ action: 'add', subject: 'visitor', plate: '浙d·55555', until: '2099-01-01T00:00:00+08:00', note: 'tea', ...by });
    await box.keeper.edit({ action: 'remove', subject: 'blocked', plate: '皖F99999', ...by });
    await box.keeper.edit({ action: 'add', subject: 'blocked', plate: '沪B33333', ...by });
    await box.keeper.edit({ action: 'add', subject: 'resident', plate: '京A77777', household: 'h2', ...by });
    const check = (one: Box): void => {
      expect(one.decide('浙D55555')).toMatchObject({ rule: 'visitor-pass', note: 'tea' });
      expect(one.decide('皖F99999').rule).toBe('outside-refuse');
      expect(one.decide('沪B33333')).toMatchObject({ rule: 'blocked-list', note: 'asked at the gate' });
      expect(one.decide('京A77777')).toMatchObject({ rule: 'resident', note: 'flat h2' });
    };
    check(box);
    expect((await box.events('list.edited')).map(({ payload }) => payload)).toMatchObject([
      { action: 'add', subject: 'visitor', plate: '浙D55555', ...by },
      { action: 'remove', subject: 'blocked', plate: '皖F99999', ...by },
      { action: 'add', subject: 'blocked', plate: '沪B33333', ...by },
      { action: 'add', subject: 'resident', plate: '京A77777', household: 'h2', ...by },
    ]);
    await box.stop();
    const again = await openBox(directory);
    check(again);
    expect(again.keeper.show('沪B33333')).toMatchObject({ inForce: { blocked: { reason: 'asked at the gate' } }, platform: [{ id: 'h2' }], edits: [{ by: 'Li Ming' }] });
  });

  it('stays over newer lists until one names it; then the list alone speaks, restart or not', async () => {
    const directory = freshDirectory();
    const box = await boxWith(first, directory);
    const { id } = await box.keeper.edit({ action: 'remove', subject: 'blocked', plate: '皖F99999', ...by });
    const second = [...first, household('h9', ['粤C44444'])];
    await takeAll(box, fullList(2, second));
    expect(box.decide('皖F99999').rule).toBe('outside-refuse');
    // A refused list settles nothing.
    await takeAll(box, [delta(2, 3, second, { put: [household('h8', [])], merged: [id] })]);
    expect(box.decide('皖F99999').rule).toBe('outside-refuse');
    // Overruled: the platform has heard of it and keeps the block.
    await takeAll(box, [delta(2, 3, second, { merged: [id] })]);
    expect(box.decide('皖F99999').rule).toBe('blocked-list');
    expect(box.keeper.pending()).toEqual([]);
    await box.stop();
    const again = await openBox(directory);
    expect(again.decide('皖F99999').rule).toBe('blocked-list');
    expect(again.keeper.pending()).toEqual([]);
  });

  it('of the same plate replaces the one before, whose acknowledgement then says nothing', async () => {
    const box = await boxWith(first);
    const { id } = await box.keeper.edit({ action: 'add', subject: 'blocked', plate: '京A11111', ...by });
    await box.keeper.edit({ action: 'remove', subject: 'blocked', plate: '京A11111', ...by });
    const merged = [...first, blocked('京A11111')];
    await takeAll(box, [delta(1, 2, merged, { put: [blocked('京A11111')], merged: [id] })]);
    expect(box.decide('京A11111').rule).toBe('resident');
    expect(box.keeper.pending()).toHaveLength(1);
  });

  it('that cannot be is refused with what to do, and changes nothing', async () => {
    const box = await boxWith(first);
    const wrong = [
      [{ action: 'add', subject: 'visitor', plate: '京A1', until: '2099-01-01T00:00:00Z' }, /PLATE_INVALID/u],
      [{ action: 'add', subject: 'visitor', plate: '京A77777' }, /needs its end/u],
      [{ action: 'add', subject: 'visitor', plate: '京A77777', until: 'tomorrow' }, /is no time/u],
      [{ action: 'add', subject: 'visitor', plate: '京A77777', until: '2020-01-01T00:00:00Z', from: '2019-01-01T00:00:00Z' }, /have ended already/u],
      [{ action: 'add', subject: 'visitor', plate: '京A77777', until: '2099-01-01T00:00:00Z', lanes: ['west'] }, /no lane west.*south, north/u],
      [{ action: 'add', subject: 'resident', plate: '京A77777', household: 'nobody' }, /no household nobody/u],
      [{ action: 'remove', subject: 'visitor', plate: '京A77777' }, /no visitor pass/u],
    ] as const;
    for (const [request, said] of wrong) await expect(box.keeper.edit({ ...by, ...request })).rejects.toThrow(said);
    expect(await box.events('list.edited')).toEqual([]);
    expect(box.keeper.pending()).toEqual([]);
  });
});

describe('a large estate', () => {
  const plate = (at: number): string => `京A${String(at).padStart(5, '0')}`;
  const entries: readonly ListEntry[] = Array.from({ length: 50_000 }, (_, at) => household(`h${at}`, [plate(at), `沪${plate(at).slice(1)}`]));

  it('has 100,000 plates in force, found exactly and by look-alike', async () => {
    const directory = freshDirectory();
    const box = await openBox(directory);
    const kinds = await takeAll(box, fullList(1, entries, 1_000));
    expect(kinds.filter((kind) => kind !== 'waiting')).toEqual(['applied']);
    expect(box.keeper.held()?.counts).toMatchObject({ households: 50_000, plates: 100_000 });
    for (const at of [0, 1, 4_711, 49_999]) {
      expect(box.decide(plate(at))).toMatchObject({ rule: 'resident', note: `flat h${at}` });
      expect(box.decide(`沪${plate(at).slice(1)}`)).toMatchObject({ rule: 'resident', note: `flat h${at}` });
    }
    expect(box.decide('粤C7X7K7').rule).toBe('outside-refuse');
    await box.stop();
    expect((await openBox(directory)).decide(plate(49_999)).rule).toBe('resident');
  });

  it('is decided for all the time while its list comes into force: by the one before, then by the new one, never by something of both', async () => {
    const box = await boxWith([household('before', ['粤C11111'])]);
    const decided = (): string => `${box.decide('粤C11111').rule}, ${box.decide(plate(49_999)).rule}`;
    const parts = fullList(2, entries, 1_000);
    const asked: readonly string[][] = parts.map(() => []);
    for (const [at, part] of parts.entries()) {
      const answers = asked[at] ?? [];
      const state = { taken: false };
      const outcome = box.keeper.take(part).finally(() => (state.taken = true));
      while (!state.taken) {
        answers.push(decided());
        await turn();
      }
      expect((await outcome).kind).toBe(at === parts.length - 1 ? 'applied' : 'waiting');
    }
    const [before, after] = ['resident, outside-refuse', 'outside-refuse, resident'];
    const answers = [...asked.flat(), decided()];
    expect(new Set(answers)).toEqual(new Set([before, after]));
    expect(answers.lastIndexOf(before)).toBeLessThan(answers.indexOf(after));
    // Between the parts, and many times while the whole is proved, written and made ready to be looked up.
    expect(asked.filter((some) => some.length === 0)).toEqual([]);
    expect(asked.at(-1)?.filter((one) => one === before).length).toBeGreaterThan(10);
  });
});
