import { silentLog } from '../../../src/base/index.js';
import { systemClock } from '../../../src/base/system-clock.js';
import { SqliteJournal, type NewEvent } from '../../../src/journal/index.js';

/** A journal as the gate opens it. */
export function openedAt(directory: string): SqliteJournal {
  return new SqliteJournal({ directory, gateId: 'bench-gate', clock: systemClock, log: silentLog, retention: { eventsDays: 365, photographsDays: 30, photographsMB: 1_000 } });
}

/** Four to a passage, as large as those of a vehicle that is read and let in. */
export function eventOf(number: number): NewEvent {
  const passage = `p-${Math.floor(number / 4)}`;
  return {
    type: number % 4 === 0 ? 'passage.started' : number % 4 === 1 ? 'passage.read' : number % 4 === 2 ? 'passage.decided' : 'passage.ended',
    lane: number % 8 < 4 ? 'entry' : 'exit',
    passage,
    payload: { number, plate: '闽H1A345', confidence: 0.991, outcome: 'admit', rule: 'resident', visitorClass: 'resident' },
  };
}

/** Hands over events `from` to below `to` at once and waits until all are on disk. */
export async function appendAll(journal: SqliteJournal, from: number, to: number): Promise<void> {
  await Promise.all(Array.from({ length: to - from }, (_, at) => journal.append(eventOf(from + at))));
}

/** Hands over events `from` to below `to`, with so many on their way to the disk all the time. */
export async function appendAhead(journal: SqliteJournal, from: number, to: number, ahead: number): Promise<void> {
  await Promise.all(
    Array.from({ length: ahead }, async (_, first) => {
      for (let number = from + first; number < to; number += ahead) await journal.append(eventOf(number));
    }),
  );
}
