import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { afterEach, describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { silentLog, toJsonObject } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { SqliteJournal } from '../../src/journal/index.js';
import { WebServer } from '../../src/web/index.js';
import { FakeGate } from '../web/fake-gate.js';
import { runCli } from './run-cli.js';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

const openJournal = async (data: string): Promise<SqliteJournal> => {
  const journal = new SqliteJournal({ directory: join(data, 'journal'), gateId: 'laurel-east', clock: systemClock, log: silentLog, retention: { eventsDays: 365, photographsDays: 30, photographsMB: 100 }, ballastMB: 0 });
  await journal.start();
  return journal;
};
const folder = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'laurel-backup-'));
  directories.push(directory);
  return directory;
};
const configFile = (data: string, gate = 'east'): string => {
  const config = join(data, 'gate.yaml');
  writeFileSync(config, `site: {id: laurel, name: L}\ngate: {id: ${gate}, name: East, dataDirectory: ${data}}\ndevices: [{id: gpio, driver: gpio}]\nlanes: [{id: entry, name: In, direction: entry, barrier: {closing: gateway-closes, open: {device: gpio, line: 17}, close: {device: gpio, line: 20}}, inputs: {approach: {device: gpio, line: 18}, closing: {device: gpio, line: 19}}}]\n`);
  return config;
};
const answer = z.object({ path: z.string(), head: z.number() });

describe('gatectl backup and restore', () => {
  it('of a running gate goes where it is asked to, is refused back while the gate runs, and then goes on above', { timeout: 60_000 }, async () => {
    const [data, usb] = [folder(), folder()];
    const journal = await openJournal(data);
    await journal.append({ type: 'clock.trusted', payload: {} });
    class BackedUpGate extends FakeGate {
      async backup(evidence: boolean): Promise<ReturnType<typeof toJsonObject>> {
        return toJsonObject(await journal.backup({ into: join(data, 'backup'), name: 'manual-one', evidence, release: '0.1.0' }));
      }
    }
    const server = new WebServer({ host: '127.0.0.1', port: 0, gate: new BackedUpGate(), clock: systemClock, log: silentLog, dataDirectory: data, printCode: () => undefined });
    await server.start();
    const made = await runCli(['backup', usb, '--json', '--data', data]);
    expect(made.err).not.toContain('gatectl:');
    const { path, head } = answer.parse(JSON.parse(made.out));
    expect(path).toBe(join(usb, 'manual-one'));
    const after = await journal.append({ type: 'clock.trusted', payload: {} });
    const refused = await runCli(['restore', path, '--data', data]);
    expect(refused.status).toBe(1);
    expect(refused.err).toContain('JOURNAL_IN_USE');
    await server.stop();
    await journal.stop();
    const restored = await runCli(['restore', path, '--data', data]);
    expect(restored.status).toBe(0);
    expect(restored.out).toContain(`the last is number ${head}`);
    const again = await openJournal(data);
    const next = await again.append({ type: 'clock.trusted', payload: {} });
    expect(next.seq).toBeGreaterThan(after.seq);
    expect((await again.verify()).brokenAt).toBeNull();
    await again.stop();
  });

  it('of a stopped gate; a damaged one is refused', { timeout: 60_000 }, async () => {
    const [data, usb] = [folder(), folder()];
    const config = configFile(data);
    const journal = await openJournal(data);
    await journal.append({ type: 'clock.trusted', payload: {} });
    await journal.stop();
    const made = await runCli(['backup', usb, '--json', '--config', config]);
    expect(made.err).not.toContain('gatectl:');
    const { path } = answer.parse(JSON.parse(made.out));
    appendFileSync(join(path, 'journal.db'), 'x');
    const refused = await runCli(['restore', path, '--config', config]);
    expect(refused.status).toBe(1);
    expect(refused.err).toMatch(/BACKUP_INVALID[^]*gatectl restore --salvage|gatectl restore --salvage[^]*BACKUP_INVALID/u);
    const salvaged = await runCli(['restore', '--salvage', path, '--config', config]);
    expect(salvaged.status).toBe(0);
    expect(salvaged.out).toContain('The backup is damaged');
  });

  it('of a damaged journal is made, and fails all the same', { timeout: 60_000 }, async () => {
    const [data, usb] = [folder(), folder()];
    const config = configFile(data);
    const journal = await openJournal(data);
    await journal.append({ type: 'clock.trusted', payload: {} });
    await journal.append({ type: 'clock.trusted', payload: {} });
    await journal.stop();
    const db = new SqliteDatabase(join(data, 'journal', 'journal.db'));
    db.exec(`UPDATE event SET text = replace(text, 'trusted', 'twisted') WHERE seq = 1`);
    db.close();
    const made = await runCli(['backup', usb, '--config', config]);
    expect(made.status).toBe(1);
    expect(made.err).toContain('its chain breaks at event 1');
    const [path = ''] = made.out.split('\n');
    expect(made.out).toContain(`gatectl restore --salvage ${path}`);
    expect((await runCli(['restore', '--salvage', path, '--config', config])).out).toContain('1 events and 0 facts could be read');
  });

  it('takes photographs along where it is asked to, of a running gate and of a stopped one, and brings them back', { timeout: 60_000 }, async () => {
    const [data, usb, box] = [folder(), folder(), folder()];
    const config = configFile(data);
    const journal = await openJournal(data);
    const { id } = await journal.saveEvidence('p-1', 'frame', new Uint8Array(2_000).fill(9));
    class BackedUpGate extends FakeGate {
      async backup(evidence: boolean): Promise<ReturnType<typeof toJsonObject>> {
        return toJsonObject(await journal.backup({ into: join(data, 'backup'), name: 'manual-running', evidence, release: '0.1.0' }));
      }
    }
    const server = new WebServer({ host: '127.0.0.1', port: 0, gate: new BackedUpGate(), clock: systemClock, log: silentLog, dataDirectory: data, printCode: () => undefined });
    await server.start();
    const running = answer.parse(JSON.parse((await runCli(['backup', usb, '--evidence', '--json', '--data', data])).out));
    await server.stop();
    await journal.stop();
    const stopped = answer.parse(JSON.parse((await runCli(['backup', usb, '--evidence', '--json', '--config', config])).out));
    expect(stopped.path).not.toBe(running.path);
    const picture = (root: string): string => join(root, 'evidence', id.slice(0, 2), `${id.slice(2)}.jpg`);
    expect([running, stopped].map(({ path }) => existsSync(picture(path)))).toEqual([true, true]);
    const restored = await runCli(['restore', stopped.path, '--data', box]);
    expect(restored.err).toBe('');
    expect(restored.out).toContain('1 photographs were brought back');
    expect(readFileSync(picture(join(box, 'journal')))).toEqual(Buffer.alloc(2_000, 9));
    // Onto a box that is another gate's it does not go.
    const foreign = await runCli(['restore', stopped.path, '--config', configFile(folder(), 'west')]);
    expect(foreign.status).toBe(1);
    expect(foreign.err).toMatch(/gate laurel-east, this box is laurel-west.*BACKUP_INVALID/u);
  });
});
