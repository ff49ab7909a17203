import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { beginEffective } from '../../src/config/index.js';
import { Configuration } from '../../src/daemon/configuration.js';
import { WebServer } from '../../src/web/index.js';
import { until } from '../support/until.js';
import { atEnd, freshDirectory } from '../uplink/support.js';
import { FakeGate } from '../web/fake-gate.js';
import type { Finished } from './run-cli.js';
import { runHere } from './run-here.js';

const line = (name: string): object => ({ device: 'world', line: `entry.${name}` });

/** A box whose configuration is the real one, and whose restart is a new one over the same files. */
async function box(): Promise<{ readonly directory: string; ctl: (...args: string[]) => Promise<Finished>; readonly stop: () => Promise<void>; readonly busy: string[]; readonly running: () => Configuration }> {
  const directory = freshDirectory();
  const path = join(directory, 'gate.yaml');
  const file = {
    site: { id: 'laurel', name: 'laurel' },
    gate: { id: 'east', name: 'east', dataDirectory: directory },
    devices: [{ id: 'world', driver: 'sim' }],
    lanes: [{ id: 'entry', name: 'entry', direction: 'entry', barrier: { closing: 'gateway-closes', open: line('open'), close: line('close') }, inputs: Object.fromEntries(['approach', 'closing', 'openLimit', 'closedLimit'].map((name) => [name, line(name)])) }],
    access: { outside: { policy: 'ask' }, spaces: 100 },
    uplink: { configurationTrialS: 2 },
  };
  writeFileSync(path, JSON.stringify(file));
  let running: Configuration;
  const busy: string[] = [];
  const gate: FakeGate & { configuration?: Configuration } = new FakeGate();
  const begin = async (): Promise<void> => {
    running = new Configuration({ effective: await beginEffective(path, systemClock.wallMs(), silentLog), clock: systemClock, log: silentLog });
    gate.configuration = running;
    await running.start({
      busyLanes: () => busy,
      parts: () => new Map([['lane entry', true]]),
      journalAnswers: () => Promise.resolve(),
      append: () => Promise.resolve(),
      remember: () => Promise.resolve(),
      recall: () => Promise.resolve(undefined),
      restart: () => void running.stop(true).then(begin),
    });
  };
  await begin();
  const server = new WebServer({ host: '127.0.0.1', port: 0, gate, clock: systemClock, log: silentLog, dataDirectory: directory, printCode: () => undefined });
  await server.start();
  let stopped = false;
  const stop = async (): Promise<void> => {
    if (stopped) return;
    stopped = true;
    await running.stop(true);
    await server.stop();
    rmSync(join(directory, 'control.sock'), { force: true });
  };
  atEnd(stop);
  return { directory, stop, busy, running: () => running, ctl: (...args) => runHere(['config', ...args, '--config', path], { SUDO_USER: 'pi' }) };
}

describe('gatectl config', () => {
  it('applies settings over the file, shows what is not as in the file, goes back, and remembers', { timeout: 120_000 }, async () => {
    const { directory, ctl, stop } = await box();
    const settings = join(directory, 'spaces.yaml');
    writeFileSync(settings, 'access:\n  spaces: 120\n');
    expect((await ctl('show')).out).toContain('gate.yaml alone.');
    const applied = await ctl('apply', settings, '--wait');
    expect([applied.status, applied.err]).toEqual([0, '']);
    expect(applied.out).toMatch(/\(applied on the box\) is right, and waits for quiet lanes\.[^]*: applied/u);
    const shown = await ctl('show');
    expect(shown.out).toMatch(/gate\.yaml and console-[0-9a-f]{12} \(applied on the box\) over it/u);
    expect(shown.out).toMatch(/access\.spaces +120 +100/u);

    writeFileSync(settings, 'access:\n  spaces: -3\ngate:\n  id: west\n');
    const wrong = await ctl('apply', settings);
    expect([wrong.status, wrong.err]).toEqual([1, expect.stringMatching(/access\.spaces: found -3[^]*\[CONFIG_INVALID\]/u)]);
    writeFileSync(settings, 'gate:\n  id: west\n');
    expect((await ctl('apply', settings)).err).toMatch(/gate\.id: only the technician's file sets this[^]*\[CONFIG_NOT_ALLOWED\]/u);
    expect((await ctl('apply', join(directory, 'none.yaml'))).err).toContain('[CONFIG_UNREADABLE]');

    const back = await ctl('return', '--wait');
    expect([back.status, back.out]).toEqual([0, expect.stringContaining('applied')]);
    const json = z.object({ running: z.boolean(), changes: z.array(z.unknown()) }).parse(JSON.parse((await ctl('show', '--json')).out));
    expect(json).toEqual({ running: true, changes: [] });

    await stop();
    const history = await ctl('history');
    expect(history.out.trim().split('\n').map((row) => /(?:applied|refused) *(?:\[\w+\])?/u.exec(row.replaceAll('(applied on the box)', ''))?.[0].trim())).toEqual(['applied', 'refused [CONFIG_NOT_ALLOWED]', 'refused [CONFIG_INVALID]', 'applied']);
    expect(history.out).toContain('console:pi');
    expect((await ctl('show')).out).toContain('no gate runs');
    expect((await ctl('apply', settings)).status).toBe(3);
  });

  it('takes the place of settings that wait, and tells how its own ended', { timeout: 120_000 }, async () => {
    const { directory, ctl, busy, running } = await box();
    const settings = join(directory, 'spaces.yaml');
    busy.push('entry');
    writeFileSync(settings, 'access:\n  spaces: 120\n');
    expect((await ctl('apply', settings)).status).toBe(0);
    writeFileSync(settings, 'access:\n  spaces: 130\n');
    const second = ctl('apply', settings, '--wait');
    await until(() => running().report().outcome !== null, { timeoutMs: 20_000, what: 'the first to give way' });
    // Wrong meanwhile: an outcome, but not that of the settings that are waited for.
    await running().propose({ version: 1, id: 'c1', issuer: 'platform:alice', whole: false, config: { access: { spaces: -1 } } });
    busy.pop();
    const { status, out } = await second;
    expect([status, out]).toEqual([0, expect.stringMatching(/: applied$/mu)]);
    expect((await ctl('history')).out).toMatch(/applied[^]*version 1[^]*CONFIG_INVALID[^]*refused \[CONFIG_SUPERSEDED\]; console-[0-9a-f]{12} of console:pi came in its place/u);
  });
});
