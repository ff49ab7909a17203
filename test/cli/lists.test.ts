import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { WebServer } from '../../src/web/index.js';
import { atEnd, blocked, freshDirectory, fullList, household, openBox, type Box } from '../lists/support.js';
import { FakeGate } from '../web/fake-gate.js';
import { runCli, type Finished } from './run-cli.js';

const errorBody = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

/** A gate's real lists behind a real server. */
async function served(): Promise<{ box: Box; url: string; ctl: (...args: string[]) => Promise<Finished>; cookie: string }> {
  const directory = freshDirectory();
  const box = await openBox(directory);
  for (const part of fullList(4, [household('h1', ['京A11111']), blocked('皖F99999')])) await box.keeper.take(part);
  const codes: string[] = [];
  const gate = Object.assign(new FakeGate(), { lists: box.keeper });
  const server = new WebServer({ host: '127.0.0.1', port: 0, gate, clock: systemClock, log: silentLog, dataDirectory: directory, printCode: (code) => codes.push(code) });
  const { url } = await server.start();
  atEnd(async () => {
    await server.stop();
    await rm(join(directory, 'control.sock'), { force: true });
  });
  const signedIn = await fetch(new URL('/api/sign-in', url), { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'li', password: 'seven sleepers', code: codes[0] }) });
  const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
  return { box, url, cookie, ctl: (...args) => runCli(['list', ...args, '--data', directory], { SUDO_USER: 'pi' }) };
}

describe('gatectl list', () => {
  it('shows the list in force, changes it with person and reason, and shows who did', async () => {
    const { box, ctl } = await served();
    expect((await ctl('show')).out).toContain('version 4');
    const added = await ctl('add', 'visitor', '浙D55555', '--until', '2099-06-15T12:00:00+08:00', '--note', 'tea', '--reason', 'friend of h1', '--by', 'Li Ming');
    expect(added).toMatchObject({ status: 0, err: '' });
    expect(added.out).toContain('浙D55555: added as visitor, in force now (on record: Li Ming, friend of h1)');
    expect(box.decide('浙D55555')).toMatchObject({ rule: 'visitor-pass', note: 'tea' });
    expect((await ctl('remove', 'blocked', '皖F99999', '--reason', 'paid')).status).toBe(0);
    expect(box.decide('皖F99999').rule).toBe('outside-refuse');
    expect((await box.events('list.edited')).map(({ payload }) => payload)).toMatchObject([
      { plate: '浙D55555', by: 'Li Ming', issuer: 'console:pi', reason: 'friend of h1' },
      { plate: '皖F99999', by: 'pi', issuer: 'console:pi', reason: 'paid' },
    ]);
    const shown = await ctl('show', '浙D55555');
    expect(shown.out).toContain('until 2099-06-15');
    expect(shown.out).toContain('Li Ming');
    expect((await ctl('show')).out).toContain('2 changes made here');
  });

  it('says what is wrong with a change, and what to do', async () => {
    const { ctl } = await served();
    const unknown = await ctl('add', 'resident', '京A77777', '--household', 'h9', '--reason', 'new car');
    expect(unknown.status).toBe(1);
    expect(unknown.err).toMatch(/there is no household h9.*\[LIST_EDIT_REFUSED\]/u);
    expect((await ctl('add', 'blocked', '京A1', '--reason', 'x')).err).toContain('PLATE_INVALID');
    expect((await ctl('add', 'friend', '京A77777', '--reason', 'x')).status).toBe(2);
    expect((await ctl('add', 'blocked', '京A77777')).status).toBe(2);
    expect((await ctl('add', 'blocked', '京A77777', '--household', 'h1', '--reason', 'x')).err).toContain('only for adding a resident');
  });
});

describe('lists on the web port', () => {
  it('are for those who are signed in; their name is on record', async () => {
    const { box, url, cookie } = await served();
    const body = JSON.stringify({ action: 'add', subject: 'blocked', plate: '京A11111', reason: 'damaged the boom' });
    const post = (headers: Record<string, string>): Promise<Response> => fetch(new URL('/api/lists/edits', url), { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
    expect((await post({})).status).toBe(401);
    expect((await fetch(new URL('/api/lists', url))).status).toBe(401);
    expect(box.decide('京A11111').rule).toBe('resident');
    expect((await post({ cookie })).status).toBe(200);
    expect(box.decide('京A11111')).toMatchObject({ rule: 'blocked-list', note: 'damaged the boom' });
    expect((await box.events('list.edited'))[0]?.payload).toMatchObject({ by: 'li', issuer: 'web:li' });
    const wrong = await fetch(new URL(`/api/lists/plates/${encodeURIComponent('abc')}`, url), { headers: { cookie } });
    expect(wrong.status).toBe(400);
    expect(errorBody.parse(await wrong.json()).error.code).toBe('PLATE_INVALID');
  });
});
