import { describe, expect, it } from 'vitest';
import { runDeaths, type DeathCase, type DeathReport } from '../../scripts/faults/deaths.js';

/** Contacts as they are at the end of the look, by what the relays did. */
function leftOn({ relays }: DeathReport): readonly string[] {
  const last = new Map(relays.map((edge) => edge.split(' ')).map(([, contact, level]) => [contact ?? '', level]));
  return [...last].flatMap(([contact, level]) => (level === 'on' ? [contact] : []));
}

describe('the real daemon dies on a real serial line, `npm run faults -- --only deaths` tries every way in every state', () => {
  it.each<DeathCase & { readonly raised: boolean }>([
    { way: 'SIGKILL', state: 'open-pulse', raised: false },
    { way: 'SIGKILL', state: 'closing-entering', raised: true },
    { way: 'SIGSTOP', state: 'closing', raised: true },
    { way: 'SIGTERM', state: 'closing', raised: true },
    { way: 'exception', state: 'closing', raised: true },
    { way: 'SIGKILL', state: 'stop', raised: false },
  ])('$way while $state: nobody is endangered, no contact stays on, the boom is raised where it was going down', { timeout: 180_000 }, async ({ way, state, raised }) => {
    const [report] = await runDeaths({ seed: 3, cases: [{ way, state }] });
    if (report === undefined) expect.fail('no report');
    expect(report).toMatchObject({ verdict: 'safe', violations: [] });
    expect(leftOn(report)).toEqual([]);
    if (raised) expect(report.boom.after).toBe(1);
    else expect(report.boom.after).toBeGreaterThanOrEqual(report.boom.before);
  });
});
