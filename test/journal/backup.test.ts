import { appendFileSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeBackup } from '../../src/journal/backup.js';
import { restoreBackup } from '../../src/journal/restore.js';
import { freshDirectory, openJournal, read } from './support.js';

const now = { wallMs: 1_767_225_600_000 };

describe('a backup', () => {
  it('of a running journal is restored on another box, whose numbers collide with none that were used after it', async () => {
    const [home, away, box] = [freshDirectory(), freshDirectory(), freshDirectory()];
    const journal = await openJournal({ directory: home });
    await Promise.all(Array.from({ length: 300 }, (_, number) => journal.append(read(number))));
    const picture = await journal.saveEvidence('p-1', 'frame', new Uint8Array(5_000).fill(7));
    const made = await journal.backup({ into: away, name: 'one', evidence: true, config: 'version: 1\n', release: '0.1.0' });
    const after = await journal.append(read(301));
    expect(made.manifest.journal).toMatchObject({ head: 300, epoch: 1 });
    const restored = await restoreBackup(made.path, box, now, 'east-gate');
    expect(restored).toMatchObject({ checked: 300, photographs: 1, setAside: null });
    const again = await openJournal({ directory: box });
    const [lost] = await again.events({ types: ['journal.lost'], limit: 5 });
    expect(lost?.payload).toMatchObject({ reason: 'restored', lastKnown: 300 });
    expect(lost?.epoch).toBeGreaterThan(after.epoch);
    expect(lost?.seq).toBeGreaterThan(after.seq);
    expect(await again.readEvidence(picture.id)).toBeDefined();
    expect((await again.verify()).brokenAt).toBeNull();
    await expect(restoreBackup(made.path, box, now)).rejects.toMatchObject({ code: 'JOURNAL_IN_USE' });
    await again.stop();
    expect((await restoreBackup(made.path, box, now)).setAside).toMatch(/^replaced/u);
  });

  it('that was changed, or is of another gate, is refused before anything is touched', async () => {
    const [home, away, box] = [freshDirectory(), freshDirectory(), freshDirectory()];
    const journal = await openJournal({ directory: home });
    await journal.append(read(1));
    const { path } = await makeBackup({ journal: home, into: away, name: 'one', gateId: 'east-gate', evidence: false, clockTrusted: true, release: '0.1.0', pace: false, ...now }, () => false, () => undefined);
    await expect(restoreBackup(path, box, now, 'west-gate')).rejects.toMatchObject({ code: 'BACKUP_INVALID' });
    appendFileSync(join(path, 'journal.db'), 'x');
    await expect(restoreBackup(path, box, now)).rejects.toMatchObject({ code: 'BACKUP_INVALID' });
    expect(existsSync(join(box, 'journal.db'))).toBe(false);
    await expect(restoreBackup(away, box, now)).rejects.toMatchObject({ code: 'BACKUP_INVALID' });
  });

  it('that is given up leaves nothing behind', async () => {
    const [home, away] = [freshDirectory(), freshDirectory()];
    const journal = await openJournal({ directory: home });
    await Promise.all(Array.from({ length: 3_000 }, (_, number) => journal.append(read(number))));
    const request = { journal: home, into: away, name: 'one', gateId: 'east-gate', evidence: false, clockTrusted: true, release: '0.1.0', pace: false, ...now };
    await expect(makeBackup(request, () => true, () => undefined)).rejects.toMatchObject({ code: 'BACKUP_FAILED' });
    expect(readdirSync(away)).toEqual([]);
  });
});
