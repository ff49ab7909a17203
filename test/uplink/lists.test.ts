import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import type { AccessRules } from '../../src/access/index.js';
import { ListKeeper, listDigest, type ListEntry } from '../../src/lists/index.js';
import { parsePlate } from '../../src/plate/index.js';
import { ListDesk, PlatformLists, type ListReport, type ReferencePlatform } from '../../src/uplink/index.js';
import type { SqliteJournal } from '../../src/journal/index.js';
import { estate } from '../access/estate.js';
import { atEnd, drained, freshDirectory, online, openJournal, settings, startGate, startMosquitto, startPlatform, until, type Gate } from './support.js';

const household = (id: string, plates: string[]): ListEntry => ({ kind: 'household', id, spaces: 1, plates });
const blocked = (plate: string): ListEntry => ({ kind: 'blocked', plate, reason: 'unpaid' });
const first = [household('h1', ['京A11111']), household('h2', ['京A22222', '京A33333']), blocked('皖F99999')];
const by = { reason: 'asked at the gate', by: 'Li Ming', issuer: 'web:guard' };

interface Site {
  readonly platform: ReferencePlatform;
  readonly lists: PlatformLists;
  readonly keeper: ListKeeper;
  readonly reports: ListReport[];
  readonly journal: SqliteJournal;
  /** Everything the platform has sent on `list`. */
  readonly sent: { readonly kind?: unknown; readonly part?: unknown }[];
  readonly gate: Gate;
  /** The gate's uplink, started anew. */
  reconnect(): Promise<Gate>;
}

async function site(options: { readonly partMs?: number; readonly mergeEdits?: boolean; readonly partBytes?: number; readonly households?: AccessRules['households'] } = {}): Promise<Site> {
  const broker = await startMosquitto();
  const platform = await startPlatform({ url: broker.url });
  const lists = new PlatformLists(platform, { mergeEdits: options.mergeEdits ?? true, ...(options.partBytes === undefined ? {} : { partBytes: options.partBytes }) });
  lists.start();
  const reports: ListReport[] = [];
  platform.hear('list/report', () => {
    const report = lists.report('laurel', 'east');
    if (report !== undefined) reports.push(report);
  });
  const sent: Site['sent'][number][] = [];
  const post = platform.post.bind(platform);
  platform.post = (name, topic, message) => {
    sent.push(message);
    post(name, topic, message);
  };
  const directory = freshDirectory();
  const { journal, epoch } = await openJournal(join(directory, 'journal'));
  const { configured } = estate({ households: options.households ?? [], visitors: [], blocked: [], emergency: [] });
  const keeper = new ListKeeper({ directory: join(directory, 'lists'), journal, clock: systemClock, log: silentLog, clockTrusted: () => true, configured: () => configured, lanes: ['entry'] });
  await keeper.load();
  await keeper.restore();
  atEnd(() => keeper.stop());
  const reconnect = async (): Promise<Gate> => {
    const gate = await startGate(settings(broker.url), {
      opened: { journal, epoch },
      desks: [(reply) => new ListDesk({ lists: keeper, epoch, clock: systemClock, log: silentLog, reply, ...(options.partMs === undefined ? {} : { partMs: options.partMs }) })],
    });
    await online(gate);
    return gate;
  };
  return { platform, lists, keeper, reports, journal, sent, gate: await reconnect(), reconnect };
}

const held = ({ keeper }: Site, version: number): Promise<boolean> => until(() => keeper.held()?.version === version, { what: `version ${version}` });
const blockOf = ({ keeper }: Site, plate: string): string | undefined => keeper.listing(parsePlate(plate).text, undefined)?.blocked?.reason;
const homeOf = ({ keeper }: Site, plate: string): string | undefined => keeper.listing(parsePlate(plate).text, undefined)?.household?.id;
const taken = (one: Site): Promise<boolean> => until(() => one.keeper.pending().length === 0, { what: 'the changes taken in' });

describe('lists over the uplink', () => {
  it('a gate without a list asks for one; it comes whole, then as changes, and is reported with its digest', async () => {
    const one = await site({ partBytes: 100 });
    await until(() => one.reports.length > 0, { what: 'the first report' });
    expect(one.reports[0]).toMatchObject({ held: null, wants: 'full', edits: { count: 0 } });
    const { version, digest } = one.lists.sendList('laurel', 'east', { entries: first });
    expect(digest).toBe(listDigest(first));
    await held(one, version);
    expect(one.sent.map(({ kind, part }) => [kind, part])).toEqual([['full', 1], ['full', 2], ['full', 3]]);
    const after = [...first.slice(0, 2), blocked('京A44444')];
    one.lists.sendList('laurel', 'east', { entries: after });
    await held(one, 2);
    expect(one.sent.find(({ kind }) => kind === 'delta')).toMatchObject({ base: 1, put: [{ plate: '京A44444' }], remove: ['blocked/皖F99999'] });
    expect([blockOf(one, '京A44444'), blockOf(one, '皖F99999')]).toEqual(['unpaid', undefined]);
    await until(() => one.reports.at(-1)?.held?.digest === listDigest(after), { what: 'the report of version 2' });
    expect(one.platform.faults).toBe(0);
  });

  it('a wrong digest, and a change from a version it does not hold, leave its list in force and make it ask for the whole', async () => {
    const one = await site();
    one.lists.sendList('laurel', 'east', { entries: first });
    await held(one, 1);
    one.platform.post({ site: 'laurel', gate: 'east' }, 'list', { kind: 'delta', base: 1, version: 2, digest: '0'.repeat(64), put: [], remove: ['blocked/皖F99999'] });
    await until(() => one.reports.some(({ refused, wants }) => refused?.code === 'LIST_DIGEST_WRONG' && wants === 'full'), { what: 'the request for the whole list' });
    expect(blockOf(one, '皖F99999')).toBe('unpaid');
    one.lists.sendList('laurel', 'east', { entries: first.slice(0, 1), version: 5, form: 'full' });
    await held(one, 5);
    one.platform.post({ site: 'laurel', gate: 'east' }, 'list', { kind: 'delta', base: 7, version: 8, digest: '0'.repeat(64), put: [], remove: [] });
    await until(() => one.reports.some(({ refused, wants }) => refused?.code === 'LIST_BASE_UNKNOWN' && wants === 'full'), { what: 'the request after the gap' });
    expect(one.keeper.held()?.version).toBe(5);
  });

  it('a platform that stays wrong is answered each time and not asked over and over', async () => {
    const one = await site();
    for (const version of [1, 2, 3]) one.platform.post({ site: 'laurel', gate: 'east' }, 'list', { kind: 'full', version, digest: '0'.repeat(64), part: 1, parts: 1, entries: [] });
    await until(() => one.reports.filter(({ refused }) => refused !== undefined).length === 3, { what: 'three refusals' });
    expect(one.reports.flatMap(({ refused, wants }) => (refused === undefined ? [] : [wants]))).toEqual(['full', null, null]);
  });

  it('a part that does not come is missed: the gate gives that list up, asks for the whole, and takes it', async () => {
    const one = await site({ partMs: 50, partBytes: 100 });
    const [drop] = [{ kind: 'full', version: 1, digest: listDigest(first), part: 2, parts: 3, entries: first.slice(1, 2) }];
    one.platform.post({ site: 'laurel', gate: 'east' }, 'list', drop);
    await until(() => one.reports.some(({ refused }) => refused?.code === 'LIST_INCOMPLETE'), { what: 'the missing part' });
    one.lists.sendList('laurel', 'east', { entries: first });
    await held(one, 1);
  });

  it("a guard's change travels up, comes back in the list, and the gate lets go of its own", async () => {
    const one = await site();
    one.lists.sendList('laurel', 'east', { entries: first });
    await held(one, 1);
    await one.keeper.edit({ action: 'remove', subject: 'blocked', plate: '皖F99999', ...by });
    await one.keeper.edit({ action: 'add', subject: 'resident', plate: '京A77777', household: 'h1', ...by });
    await until(() => one.keeper.pending().length === 0, { what: 'the changes taken in' });
    expect(one.lists.entries('laurel', 'east')).toEqual([household('h1', ['京A11111', '京A77777']), first[1]]);
    expect(blockOf(one, '皖F99999')).toBeUndefined();
    expect(one.keeper.listing(parsePlate('京A77777').text, undefined)?.household?.id).toBe('h1');
    expect(await one.journal.recallAll('lists/edit/')).toEqual(new Map());
  });

  it("a guard's change of a plate that the list writes in another way stays when the list has taken it in", async () => {
    const one = await site();
    one.lists.sendList('laurel', 'east', { entries: [household('h1', ['京A·22222', '京A·33333']), blocked('京A·12345')] });
    await held(one, 1);
    await one.keeper.edit({ action: 'remove', subject: 'blocked', plate: '京A12345', ...by });
    await one.keeper.edit({ action: 'remove', subject: 'resident', plate: '京A22222', ...by });
    await taken(one);
    expect([blockOf(one, '京A12345'), homeOf(one, '京A22222'), homeOf(one, '京A33333')]).toEqual([undefined, undefined, 'h1']);
    expect(one.lists.entries('laurel', 'east')).toEqual([household('h1', ['京A·33333'])]);
  });

  it('a resident added to a household that only the configuration has stays one', async () => {
    const one = await site({ households: [{ id: 'own', spaces: 1, plates: [] }] });
    one.lists.sendList('laurel', 'east', { entries: first });
    await held(one, 1);
    await one.keeper.edit({ action: 'add', subject: 'resident', plate: '京A77777', household: 'own', ...by });
    await one.keeper.edit({ action: 'remove', subject: 'blocked', plate: '皖F99999', ...by });
    await until(() => one.reports.at(-1)?.held?.version === 2, { what: 'the report after the changes' });
    expect(homeOf(one, '京A77777')).toBe('own');
    expect(blockOf(one, '皖F99999')).toBeUndefined();
    expect(one.keeper.pending()).toMatchObject([{ plate: '京A77777', household: 'own' }]);
  });

  it('of two changes of one plate made without a network the newest counts at the end', async () => {
    const one = await site();
    one.lists.sendList('laurel', 'east', { entries: first });
    await held(one, 1);
    await drained(one.gate);
    await one.gate.uplink.stop();
    await one.keeper.edit({ action: 'add', subject: 'blocked', plate: '京A11111', ...by });
    await one.keeper.edit({ action: 'remove', subject: 'blocked', plate: '京A11111', ...by });
    await one.keeper.edit({ action: 'remove', subject: 'resident', plate: '京A22222', ...by });
    await one.keeper.edit({ action: 'add', subject: 'resident', plate: '京A22222', household: 'h1', ...by });
    await drained(await one.reconnect());
    await taken(one);
    const { version } = one.lists.sendList('laurel', 'east', { entries: [...one.lists.entries('laurel', 'east'), blocked('京A44444')] });
    await held(one, version);
    expect([blockOf(one, '京A11111'), homeOf(one, '京A22222'), blockOf(one, '京A44444')]).toEqual([undefined, 'h1', 'unpaid']);
  });

  it('a platform that lost its newest lists hears what the gate holds, and goes on above it', async () => {
    const one = await site();
    one.lists.sendList('laurel', 'east', { entries: first, version: 5 });
    await held(one, 5);
    await until(() => one.reports.at(-1)?.held?.version === 5, { what: 'the report of version 5' });
    one.lists.stop();
    const restored = new PlatformLists(one.platform);
    restored.start();
    restored.sendList('laurel', 'east', { entries: first.slice(0, 2), version: 3 });
    await until(() => one.keeper.held()?.digest === listDigest(first.slice(0, 2)), { what: 'the list of the restored platform' });
    expect(one.keeper.held()?.version).toBeGreaterThan(5);
    expect(blockOf(one, '皖F99999')).toBeUndefined();
  });

  it('a change the platform overrules is undone at the gate', async () => {
    const one = await site({ mergeEdits: false });
    one.lists.sendList('laurel', 'east', { entries: first });
    await held(one, 1);
    await one.keeper.edit({ action: 'remove', subject: 'blocked', plate: '皖F99999', ...by });
    await until(() => one.lists.waitingEdits('laurel', 'east').length === 1, { what: 'the change at the platform' });
    expect(blockOf(one, '皖F99999')).toBeUndefined();
    one.lists.merge('laurel', 'east', { overrule: true });
    await until(() => one.keeper.pending().length === 0, { what: 'the change let go' });
    expect(blockOf(one, '皖F99999')).toBe('unpaid');
  });

  it('a platform that comes later learns from the retained report what the gate holds', async () => {
    const broker = await startMosquitto();
    const directory = freshDirectory();
    const { journal } = await openJournal(join(directory, 'journal'));
    const keeper = new ListKeeper({ directory: join(directory, 'lists'), journal, clock: systemClock, log: silentLog, clockTrusted: () => true, configured: () => ({ listings: new Map(), households: new Map() }), lanes: [] });
    await keeper.load();
    atEnd(() => keeper.stop());
    await online(await startGate(settings(broker.url), { journal, desks: [(reply) => new ListDesk({ lists: keeper, epoch: 1, clock: systemClock, log: silentLog, reply })] }));
    const lists = new PlatformLists(await startPlatform({ url: broker.url }));
    lists.start();
    await until(() => lists.report('laurel', 'east')?.wants === 'full', { what: 'the retained report' });
  });
});
