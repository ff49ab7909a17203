import { expect, it } from 'vitest';
import { runJournalRounds } from '../../scripts/faults/journal-rounds.js';

it('killed at ten random points and drained, the platform has every event once, in order, or knows what is lost', async () => {
  const result = await runJournalRounds({ rounds: 10, seed: 7 });
  expect(result).toMatchObject({ rounds: 10, lost: 0, doubled: 0, reordered: 0, chainBroken: 0, undeclaredLoss: 0 });
  expect(result.told).toBeGreaterThan(0);
}, 240_000);
