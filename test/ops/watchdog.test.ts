import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ManualClock, silentLog } from '../../src/base/index.js';
import { Heartbeats, Watchdog } from '../../src/ops/index.js';
import { until } from '../support/until.js';

const supervised = { NOTIFY_SOCKET: '/run/none', WATCHDOG_USEC: '30000000' };

function make(check: () => boolean | readonly string[] | Promise<boolean>): { clock: ManualClock; sent: string[][]; watchdog: Watchdog } {
  const clock = new ManualClock();
  const sent: string[][] = [];
  const notify = (lines: readonly string[]): Promise<void> => {
    sent.push([...lines]);
    return Promise.resolve();
  };
  return { clock, sent, watchdog: new Watchdog({ clock, log: silentLog, check, environment: supervised, notify }) };
}

const feeds = (sent: readonly string[][]): number => sent.filter((lines) => lines.includes('WATCHDOG=1')).length;

describe('the watchdog', () => {
  it('is fed three times within the limit while the work goes on, and says when it stops', async () => {
    const { clock, sent, watchdog } = make(() => true);
    await watchdog.start();
    expect(sent[0]).toContain('READY=1');
    sent.splice(0);
    await clock.advanceAsync(60_000);
    expect(feeds(sent)).toBe(6);
    await watchdog.stop();
    expect(sent.at(-1)).toEqual(['STOPPING=1']);
    await clock.advanceAsync(60_000);
    expect(feeds(sent)).toBe(6);
  });

  it('starves as soon as a lane stands still, names it, and eats again when it goes on', async () => {
    const clock = new ManualClock();
    const beats = new Heartbeats(clock);
    beats.expect('lane entry', 5_000);
    const sent: string[][] = [];
    const watchdog = new Watchdog({
      clock,
      log: silentLog,
      environment: supervised,
      check: () => beats.stuck(),
      notify: (lines) => {
        sent.push([...lines]);
        return Promise.resolve();
      },
    });
    await watchdog.start();
    sent.splice(0);
    await clock.advanceAsync(40_000);
    expect(feeds(sent)).toBe(0);
    expect(sent).toEqual([['STATUS=Stuck: lane entry (10 s)']]);
    clock.after(9_999, () => beats.beat('lane entry'));
    await clock.advanceAsync(10_000);
    expect(sent.at(-1)).toEqual(['WATCHDOG=1', 'STATUS=All is well.']);
    await watchdog.stop();
  });

  it.each([
    { what: 'hangs', check: () => new Promise<boolean>(() => undefined) },
    { what: 'fails', check: () => Promise.reject(new Error('no answer')) },
    { what: 'says no', check: () => false },
  ])('starves when the check $what', async ({ check }) => {
    const { clock, sent, watchdog } = make(check);
    await watchdog.start();
    sent.splice(0);
    await clock.advanceAsync(60_000);
    expect(feeds(sent)).toBe(0);
    expect(sent.length).toBe(1);
    await watchdog.stop();
  });

  it('goes on where the manager cannot be told', async () => {
    const clock = new ManualClock();
    const watchdog = new Watchdog({ clock, log: silentLog, check: () => true, environment: supervised, notify: () => Promise.reject(new Error('refused')) });
    await watchdog.start();
    await clock.advanceAsync(30_000);
    await watchdog.stop();
  });

  it('reaches a real socket as systemd has it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'laurel-notify-'));
    const socket = join(folder, 'notify');
    const script = 'import socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.bind(sys.argv[1])\nwhile True: print(s.recv(4096).decode(), flush=True)';
    const manager = spawn('/usr/bin/python3', ['-c', script, socket]);
    let heard = '';
    manager.stdout.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    try {
      await until(() => existsSync(socket), { what: 'the socket' });
      const environment = { ...process.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '300000' };
      const clock = new ManualClock();
      const watchdog = new Watchdog({ clock, log: silentLog, check: () => true, environment });
      await watchdog.start();
      await until(() => heard.includes('READY=1') && heard.includes('WATCHDOG=1'), { what: 'READY=1' });
      await watchdog.stop();
      await until(() => heard.includes('STOPPING=1'), { what: 'STOPPING=1' });
    } finally {
      manager.kill();
      await once(manager, 'exit');
      rmSync(folder, { recursive: true });
    }
  });
});
