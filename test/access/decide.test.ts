import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AccessRequest, AccessRules, Decision, OutsidePolicy } from '../../src/access/index.js';
import { parsePlate } from '../../src/plate/index.js';
import { likeCharacter } from '../support/look-alikes.js';
import { HOUR, MINUTE, TEN, drive, estate, request } from './estate.js';

const ask = (plate: string | null, changes: Parameters<typeof request>[1] = {}, policy: Partial<AccessRules> = {}): Decision =>
  estate(policy).decide(request(plate, changes));
const at = (iso: string): Pick<AccessRequest, 'wallMs'> => ({ wallMs: Date.parse(iso) });

describe('who may come in', () => {
  it.each<[string, Decision, Parameters<typeof request>[1]?]>([
    ['京A11111', { outcome: 'admit', rule: 'resident', visitorClass: 'resident', note: '1-101', listedPlate: parsePlate('京A11111').text, matched: 'exact' }],
  ])('tells a guard all about %s', (plate, expected) => {
    expect(ask(plate)).toEqual(expected);
  });

  it.each<[string, string, Partial<Decision>, Parameters<typeof request>[1]?]>([
    ['a fire engine', '川X1234应急', { outcome: 'admit', rule: 'emergency-class', visitorClass: 'emergency' }],
    ['police', '京A1234警', { outcome: 'admit', rule: 'emergency-class', visitorClass: 'emergency' }],
    ['armed police', 'WJ京12345', { outcome: 'admit', rule: 'emergency-class', visitorClass: 'emergency' }],
    ['a listed ambulance', '京G12312', { outcome: 'admit', rule: 'emergency-class', note: 'ambulance of the clinic' }],
    ['a blocked car', '皖F99999', { outcome: 'refuse', rule: 'blocked-list', visitorClass: 'blocked', note: 'damaged the boom' }],
    ['a resident in its own lane', '沪B33333', { outcome: 'admit', rule: 'resident', note: 'h2' }, { laneId: 'north' }],
    ['a resident in another lane', '沪B33333', { outcome: 'refuse', rule: 'resident-lane', visitorClass: 'resident' }],
    ['a night tenant in the morning', '粤C44444', { outcome: 'refuse', rule: 'resident-hours' }],
    ['a night tenant before midnight', '粤C44444', { outcome: 'admit', rule: 'resident' }, at('2026-07-01T23:59:00+08:00')],
    ['a night tenant after midnight', '粤C44444', { outcome: 'admit', rule: 'resident' }, at('2026-07-01T00:00:00+08:00')],
    ['a night tenant at the last minute', '粤C44444', { outcome: 'admit', rule: 'resident' }, at('2026-07-01T07:59:59+08:00')],
    ['a night tenant a minute late', '粤C44444', { outcome: 'refuse', rule: 'resident-hours' }, at('2026-07-01T08:00:00+08:00')],
    ['a night tenant while the box does not know the time', '粤C44444', { outcome: 'admit', rule: 'resident' }, { clockTrusted: false }],
    ['a contract that ended', '浙D55555', { outcome: 'refuse', rule: 'resident-validity', note: 'until May' }],
    ['a contract that runs', '浙D55555', { outcome: 'admit', rule: 'resident' }, at('2026-05-31T23:59:59+08:00')],
    ['a contract not begun', '浙D55555', { outcome: 'refuse', rule: 'resident-validity' }, at('2025-12-31T23:59:59+08:00')],
    ['a contract while the box thinks it is 1970', '浙D55555', { outcome: 'admit', rule: 'resident' }, { wallMs: 0, clockTrusted: false }],
    ['a visitor in time', '苏E66666', { outcome: 'admit', rule: 'visitor-pass', visitorClass: 'visitor', note: 'plumber' }],
    ['a visitor at the last moment', '苏E66666', { outcome: 'refuse', rule: 'visitor-pass-expired', note: 'plumber' }, at('2026-07-01T12:00:00+08:00')],
    ['a visitor too early', '苏E66666', { outcome: 'refuse', rule: 'visitor-pass-expired' }, at('2026-07-01T07:59:59+08:00')],
    ['a visitor of last month', '苏E77777', { outcome: 'refuse', rule: 'visitor-pass-expired', visitorClass: 'visitor' }],
    ['a visitor in another lane', '苏E88877', { outcome: 'refuse', rule: 'visitor-pass-expired' }],
    ['a visitor in the right lane', '苏E88877', { outcome: 'admit', rule: 'visitor-pass' }, { laneId: 'north' }],
    ['a visitor while the box does not know the time', '苏E66666', { outcome: 'ask', rule: 'visitor-pass-expired' }, { clockTrusted: false }],
    ['a stranger', '闽H12345', { outcome: 'refuse', rule: 'outside-refuse', visitorClass: 'outside' }],
    ['a military plate, which is no emergency', 'VA12345', { outcome: 'refuse', rule: 'outside-refuse' }],
  ])('%s (%s)', (_who, plate, expected, changes) => {
    expect(ask(plate, changes)).toMatchObject(expected);
  });

  it('leaves a car without a plate to a person', () => {
    expect(ask(null)).toEqual({ outcome: 'ask', rule: 'no-plate', visitorClass: 'unplated' });
  });

  it('never opens by itself on a doubtful read, but says what the list knows', () => {
    expect(ask('京A11111', { confidence: 0.89 })).toMatchObject({ outcome: 'ask', rule: 'confidence-too-low', visitorClass: 'resident', note: '1-101' });
    expect(ask('川X1234应急', { confidence: 0.5 })).toMatchObject({ outcome: 'ask', rule: 'confidence-too-low', visitorClass: 'emergency' });
    expect(ask('皖F99999', { confidence: 0.5 })).toMatchObject({ outcome: 'ask', rule: 'confidence-too-low', visitorClass: 'blocked', note: 'damaged the boom' });
    expect(ask('京A11111', { confidence: 0.9 })).toMatchObject({ outcome: 'admit' });
  });

  it('emergency goes before blocked', () => {
    expect(ask('京G12312', {}, { blocked: [{ plate: '京G12312', reason: 'mistake' }] })).toMatchObject({ outcome: 'admit', rule: 'emergency-class' });
  });

  it('blocked goes before resident', () => {
    expect(ask('京A11111', {}, { blocked: [{ plate: '京A11111', reason: 'unpaid' }] })).toMatchObject({ outcome: 'refuse', rule: 'blocked-list', note: 'unpaid' });
  });

  it('a resident out of hours may still come on a visitor pass', () => {
    const visitors = [{ plate: '粤C44444', from: '2026-07-01T08:00:00+08:00', until: '2026-07-01T12:00:00+08:00' }];
    expect(ask('粤C44444', {}, { visitors })).toMatchObject({ outcome: 'admit', rule: 'visitor-pass', visitorClass: 'visitor' });
  });
});

describe('one household, several cars (一位多车)', () => {
  it('the second car is an outside car while the first is inside, and a resident once it left', async () => {
    const gate = estate();
    expect(await drive(gate, '京A11111', 'entry')).toBe('resident');
    expect(await drive(gate, '京AD22222', 'entry')).toBe('resident-quota');
    expect(await drive(gate, '京A11111', 'exit')).toBe('exit-free');
    expect(await drive(gate, '京AD22222', 'entry')).toBe('resident');
  });

  it('the second car comes in as an outside car where those are admitted', async () => {
    const gate = estate({ outside: { policy: 'admit-for-hours', hours: 2 } });
    await drive(gate, '京A11111', 'entry');
    expect(gate.decide(request('京AD22222'))).toMatchObject({ outcome: 'admit', rule: 'outside-hours', visitorClass: 'outside', stayHours: 2, note: '1-101' });
    await drive(gate, '京AD22222', 'entry');
    expect(gate.counts().byClass).toMatchObject({ resident: 1, outside: 1 });
  });

  it('a car whose exit was missed does not stand in its own way', async () => {
    const gate = estate();
    await drive(gate, '京A11111', 'entry');
    expect(await drive(gate, '京A11111', 'entry', TEN + HOUR)).toBe('resident');
    expect(gate.counts().inside).toBe(1);
  });

  it('two lanes do not give the same space away twice', async () => {
    const gate = estate();
    expect(gate.decide(request('京A11111', { laneId: 'south' }))).toMatchObject({ outcome: 'admit' });
    expect(gate.decide(request('京AD22222', { laneId: 'north' }))).toMatchObject({ rule: 'resident-quota' });
    // It backs out again: the space is free.
    await gate.recordPassage({ plate: request('京A11111').plate?.text, direction: 'entry', end: 'backed-out', wallMs: TEN, passage: 'x', lane: 'south' });
    expect(gate.decide(request('京AD22222', { laneId: 'north' }))).toMatchObject({ rule: 'resident' });
  });

  it('a space given away is free again if nobody ever says what became of it', () => {
    const gate = estate();
    gate.decide(request('京A11111', { laneId: 'south' }));
    expect(gate.decide(request('京AD22222', { laneId: 'north', wallMs: TEN + 3 * MINUTE }))).toMatchObject({ rule: 'resident' });
  });

  it('a car let in by hand beyond the quota does not take a resident space', async () => {
    const gate = estate({ households: [{ id: 'h1', spaces: 1, plates: ['京A11111', '京A22222', '京A33333'] }] });
    await drive(gate, '京A11111', 'entry');
    await drive(gate, '京A22222', 'entry', TEN, true);
    await drive(gate, '京A11111', 'exit');
    expect(await drive(gate, '京A33333', 'entry')).toBe('resident');
  });
});

describe('outside vehicles', () => {
  it('come in while there is space', async () => {
    const gate = estate({ outside: { policy: 'admit-while-space' }, spaces: 2 });
    expect(await drive(gate, '闽H00001', 'entry')).toBe('outside-space');
    expect(await drive(gate, null, 'entry', TEN, true)).toBe('no-plate');
    expect(await drive(gate, '闽H00002', 'entry')).toBe('outside-full');
    expect(gate.decide(request('闽H00002'))).toMatchObject({ outcome: 'refuse' });
    // Residents have their own spaces.
    expect(await drive(gate, '京A11111', 'entry')).toBe('resident');
    await drive(gate, '京A11111', 'exit');
    await drive(gate, '闽H00001', 'exit');
    expect(await drive(gate, '闽H00002', 'entry')).toBe('outside-space');
  });

  it('come in for some hours, and overstay on record', async () => {
    const gate = estate({ outside: { policy: 'admit-for-hours', hours: 1.5 } });
    expect(gate.decide(request('闽H00001'))).toMatchObject({ outcome: 'admit', rule: 'outside-hours', stayHours: 1.5 });
    await drive(gate, '闽H00001', 'entry');
    expect(gate.overstays(TEN + 1.5 * HOUR)).toEqual([]);
    expect(gate.overstays(TEN + 1.5 * HOUR + 1)).toMatchObject([{ plate: '闽H00001', sinceMs: TEN, untilMs: TEN + 1.5 * HOUR }]);
  });

  it('wait for a person where the site wants that', () => {
    expect(ask('闽H00001', {}, { outside: { policy: 'ask' } })).toMatchObject({ outcome: 'ask', rule: 'outside-ask', visitorClass: 'outside' });
    expect(ask('沪B33333', {}, { outside: { policy: 'ask' } })).toMatchObject({ outcome: 'ask', rule: 'resident-lane' });
  });
});

describe('leaving', () => {
  it.each([
    ['京A11111', 'resident'],
    ['闽H12345', 'outside'],
    ['皖F99999', 'blocked'],
    [null, 'unplated'],
  ])('a free exit lets %s out, read well or not', (plate, visitorClass) => {
    expect(ask(plate, { direction: 'exit', confidence: 0.1 })).toMatchObject({ outcome: 'admit', rule: 'exit-free', visitorClass });
  });

  it.each<[string, string, Partial<Decision>, Parameters<typeof request>[1]?, OutsidePolicy?]>([
    ['a resident', '京A11111', { outcome: 'admit', rule: 'resident' }],
    ['a night tenant at ten', '粤C44444', { outcome: 'admit', rule: 'resident' }],
    ['a resident at a lane not its own', '沪B33333', { outcome: 'ask', rule: 'resident-lane' }],
    ['a fire engine', '川X1234应急', { outcome: 'admit', rule: 'emergency-class' }],
    ['a visitor', '苏E66666', { outcome: 'admit', rule: 'visitor-pass' }],
    ['a visitor who stayed too long', '苏E66666', { outcome: 'ask', rule: 'visitor-pass-expired', note: 'plumber' }, { wallMs: TEN + 3 * HOUR }],
    ['a blocked car', '皖F99999', { outcome: 'refuse', rule: 'blocked-list' }],
    ['a stranger', '闽H12345', { outcome: 'ask', rule: 'outside-ask' }],
    ['a stranger where strangers are admitted', '闽H12345', { outcome: 'admit', rule: 'outside-space' }, {}, { policy: 'admit-while-space' }],
    ['a stranger never seen coming in', '闽H12345', { outcome: 'ask', rule: 'outside-ask' }, {}, { policy: 'admit-for-hours', hours: 1 }],
  ])('a listed exit and %s', (_who, plate, expected, changes, outside) => {
    expect(ask(plate, { direction: 'exit', ...changes }, { exit: 'listed', ...(outside === undefined ? {} : { outside }) })).toMatchObject(expected);
  });

  it('a listed exit lets a stranger out within its hours and asks after them', async () => {
    const gate = estate({ exit: 'listed', outside: { policy: 'admit-for-hours', hours: 1 } });
    await drive(gate, '闽H12345', 'entry');
    expect(gate.decide(request('闽H12345', { direction: 'exit', wallMs: TEN + HOUR }))).toMatchObject({ outcome: 'admit', rule: 'outside-hours' });
    expect(gate.decide(request('闽H12345', { direction: 'exit', wallMs: TEN + HOUR + 1 }))).toMatchObject({ outcome: 'ask', rule: 'outside-ask' });
  });

  it('a listed exit without a plate asks', () => {
    expect(ask(null, { direction: 'exit' }, { exit: 'listed' })).toMatchObject({ outcome: 'ask', rule: 'no-plate' });
  });
});

describe('anti-passback', () => {
  it('asks a person about a plate that is inside already, and never holds up a fire engine', async () => {
    const gate = estate({ antiPassback: true });
    for (const plate of ['京A11111', '川X1234应急']) await drive(gate, plate, 'entry');
    expect(gate.decide(request('京A11111'))).toMatchObject({ outcome: 'ask', rule: 'anti-passback', visitorClass: 'resident' });
    expect(gate.decide(request('川X1234应急'))).toMatchObject({ outcome: 'admit', rule: 'emergency-class' });
    await drive(gate, '京A11111', 'exit');
    expect(gate.decide(request('京A11111'))).toMatchObject({ outcome: 'admit', rule: 'resident' });
  });
});

describe('forgiving a look-alike', () => {
  const like = likeCharacter('1');

  it('admits a resident read one usual confusion wrong, and says so', () => {
    expect(ask(`京A1I1${like}1`)).toMatchObject({ outcome: 'admit', rule: 'resident', matched: 'look-alike', listedPlate: '京A11111', note: '1-101' });
    expect(ask(`${likeCharacter('京')}A11111`)).toMatchObject({ outcome: 'admit', matched: 'look-alike', listedPlate: '京A11111' });
    expect(ask('京G1Z312')).toMatchObject({ outcome: 'admit', rule: 'emergency-class', matched: 'look-alike' });
  });

  it.each<[string, string, Partial<AccessRules>, Parameters<typeof request>[1]?]>([
    ['switched off', `京A111${like}1`, { lookAlike: { enabled: false, leastConfidence: 0.8 } }],
    ['below its own confidence', `京A111${like}1`, { lookAlike: { enabled: true, leastConfidence: 0.995 } }],
    ['two plates are near', '京A11011', { households: [{ id: 'a', spaces: 1, plates: ['京A11D11'] }, { id: 'b', spaces: 1, plates: ['京A11Q11'] }] }],
    ['one of them is blocked', '京A11011', { households: [{ id: 'a', spaces: 1, plates: ['京A11D11'] }], blocked: [{ plate: '京A11Q11', reason: 'theft' }] }],
    ['two confusions', `京A11${like}1${like}`, {}],
  ])('does nothing when %s', (_why, plate, policy, changes) => {
    expect(ask(plate, changes, policy)).toEqual({ outcome: 'refuse', rule: 'outside-refuse', visitorClass: 'outside' });
  });

  it('never refuses for a likeness', () => {
    expect(ask('皖F9999G')).toMatchObject({ rule: 'outside-refuse' });
    expect(ask('云F99999')).toEqual({ outcome: 'refuse', rule: 'outside-refuse', visitorClass: 'outside' });
    expect(ask('云F99999', {}, { outside: { policy: 'admit-while-space' } })).toEqual({ outcome: 'admit', rule: 'outside-space', visitorClass: 'outside' });
    // Near a resident out of hours: the stranger's own answer stands.
    expect(ask('粤C4444A')).toMatchObject({ rule: 'outside-refuse' });
    expect(ask('桂C44444')).toEqual({ outcome: 'refuse', rule: 'outside-refuse', visitorClass: 'outside' });
  });

  it('does not touch a plate that is listed itself', () => {
    const households = [{ id: 'a', spaces: 1, plates: ['京A11111'] }];
    expect(ask('津A11111', {}, { households, blocked: [{ plate: '津A11111', reason: 'theft' }] })).toMatchObject({ outcome: 'refuse', rule: 'blocked-list' });
  });

  it('takes the household space of the plate that was meant', async () => {
    const gate = estate();
    await drive(gate, `${likeCharacter('京')}A11111`, 'entry');
    expect(gate.inside()).toMatchObject([{ plate: '京A11111', household: 'h1' }]);
    expect(gate.decide(request('京AD22222'))).toMatchObject({ rule: 'resident-quota' });
  });
});

describe('laws of a decision', () => {
  const anyRequest = fc.record({
    plate: fc.constantFrom('京A11111', '京AD22222', '沪B33333', '粤C44444', '浙D55555', '苏E66666', '苏E77777', '皖F99999', '京G12312', '川X1234应急', '闽H12345', '津A11111', '云F99999', null),
    confidence: fc.double({ min: 0, max: 1, noNaN: true }),
    direction: fc.constantFrom('entry' as const, 'exit' as const),
    laneId: fc.constantFrom('north', 'south'),
    hours: fc.integer({ min: -5_000, max: 5_000 }),
    clockTrusted: fc.boolean(),
  });
  const anyPolicy = fc.record({
    outside: fc.constantFrom<OutsidePolicy>({ policy: 'refuse' }, { policy: 'ask' }, { policy: 'admit-while-space' }, { policy: 'admit-for-hours', hours: 2 }),
    exit: fc.constantFrom('free' as const, 'listed' as const),
    antiPassback: fc.boolean(),
    spaces: fc.integer({ min: 0, max: 3 }),
  });

  it('no doubtful read and no blocked plate opens, but for a free exit; every forgiveness is on record and admits', () => {
    fc.assert(
      fc.property(anyRequest, anyPolicy, ({ plate, confidence, hours, ...rest }, policy) => {
        const made = ask(plate, { confidence, wallMs: TEN + hours * HOUR, ...rest }, policy);
        if (made.rule !== 'exit-free') {
          if (plate === null || confidence < 0.9) expect(made.outcome).toBe('ask');
          if (made.visitorClass === 'blocked') expect(made.outcome).not.toBe('admit');
        }
        if (made.matched === 'look-alike') {
          expect(made.outcome).toBe('admit');
          expect(made.listedPlate).not.toBe(plate);
        }
        if (plate === '川X1234应急' && confidence >= 0.9) expect(made.outcome).toBe('admit');
      }),
      { numRuns: 500 },
    );
  });
});
