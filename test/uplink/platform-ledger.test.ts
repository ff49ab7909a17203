import { describe, expect, it } from 'vitest';
import { GENESIS_HASH, hashOfEvent } from '../../src/journal/index.js';
import { GateLedger, type EventMessage, type LedgerNote, type WireEvent } from '../../src/uplink/index.js';

interface Made {
  readonly seq: number;
  readonly epoch?: number;
  readonly what?: string;
  readonly previousHash?: string;
}

function event({ seq, epoch = 1, what = 'x', previousHash = GENESIS_HASH }: Made): WireEvent {
  const plain = { id: `laurel-east-${epoch}-${seq}`, epoch, seq, type: 'passage.read', lane: 'entry', passage: null, wallMs: 1_000 + seq, monoMs: seq, clockTrusted: true, payload: { what }, previousHash };
  return { ...plain, hash: hashOfEvent({ ...plain, hash: '' }) };
}

/** Numbers `first` to `last` of a journal, linked. */
function chain(first: number, last: number, { epoch = 1, after = GENESIS_HASH, what = 'x' }: { readonly epoch?: number; readonly after?: string; readonly what?: string } = {}): WireEvent[] {
  const made: WireEvent[] = [];
  for (let seq = first; seq <= last; seq += 1) made.push(event({ seq, epoch, what, previousHash: made.at(-1)?.hash ?? after }));
  return made;
}

const message = (events: WireEvent[], { historical = true, lost = [] }: { readonly historical?: boolean; readonly lost?: EventMessage['lost'] } = {}): EventMessage => ({ historical, lost, events });
const kinds = (notes: readonly LedgerNote[]): readonly string[] => notes.map((note) => ('seq' in note ? `${note.kind} ${note.seq}` : note.kind === 'anew' ? `anew ${note.epoch}` : `${note.kind} ${note.first}-${note.last}`));

describe.each([['exact', true], ['bounded', false]])('a ledger, %s', (_, exact) => {
  it('counts what comes, once; says what comes again, out of turn, or in conflict', () => {
    const ledger = new GateLedger({ exact });
    const events = chain(1, 9);
    expect(ledger.take(message(events.slice(0, 5))).notes).toEqual([]);
    expect(kinds(ledger.take(message(events.slice(3, 5))).notes)).toEqual(['repeated 4', 'repeated 5']);
    expect(kinds(ledger.take(message(events.slice(7, 9), { historical: false })).notes)).toEqual(['gap 6-7']);
    expect([ledger.through, ledger.report().missing]).toEqual([5, [{ first: 6, last: 7 }]]);
    expect(kinds(ledger.take(message([event({ seq: 4, what: 'other' })])).notes)).toEqual(['conflicting 4']);
    expect(ledger.take(message(events.slice(5, 7))).entered.map(({ event: { seq } }) => seq)).toEqual([6, 7]);
    expect([ledger.through, ledger.throughEpoch]).toEqual([9, 1]);
    expect(kinds(new GateLedger({ exact }).take(message([events[1], events[0]].flatMap((one) => one ?? []))).notes)).toEqual(['gap 1-1', 'reordered 1']);
    expect(ledger.report()).toMatchObject({ events: 9, repeated: 2, conflicting: [4], reordered: [], missing: [], chainBroken: [], through: 9, highest: 9, earlier: [] });
  });

  it('passes over numbers that are declared lost, by a message or by the event that tells of a loss', () => {
    const ledger = new GateLedger({ exact });
    ledger.take(message(chain(1, 3)));
    ledger.take(message(chain(6, 6, { after: 'a'.repeat(64) }), { lost: [{ first: 4, last: 5 }] }));
    expect(ledger.through).toBe(6);
    const told = { ...event({ seq: 1_000, epoch: 2 }), type: 'journal.lost', payload: { gaps: [{ first: 7, last: 999, reason: 'restored' }] } };
    expect(kinds(ledger.take(message([{ ...told, hash: hashOfEvent(told) }])).notes)).toContain('declared 7-999');
    expect([ledger.through, ledger.throughEpoch]).toEqual([1_000, 2]);
    expect(ledger.report()).toMatchObject({ missing: [], chainBroken: [], declared: [{ first: 4, last: 5 }, { first: 7, last: 999 }] });
  });

  it('takes an event that was declared lost and is found again for late, not for out of order', () => {
    const ledger = new GateLedger({ exact });
    const events = chain(1, 9);
    ledger.take(message(events.slice(0, 3)));
    ledger.take(message(events.slice(6, 9), { lost: [{ first: 4, last: 6 }] }));
    const found = ledger.take(message(events.slice(3, 6)));
    expect(found.entered.map(({ event: { seq } }) => seq)).toEqual([4, 5, 6]);
    expect(found.notes).toEqual([]);
    expect(ledger.report()).toMatchObject({ events: 9, repeated: 0, conflicting: [], reordered: [], missing: [], through: 9 });
  });

  it('sees a broken link and a wrong hash', () => {
    const ledger = new GateLedger({ exact });
    const [one, two, three] = chain(1, 3);
    if (one === undefined || two === undefined || three === undefined) throw new Error('three events');
    expect(kinds(ledger.take(message([one, { ...two, payload: { what: 'changed' } }])).notes)).toEqual(['hash-wrong 2']);
    expect(kinds(ledger.take(message([event({ seq: 3, previousHash: 'b'.repeat(64) })])).notes)).toEqual(['chain-broken 3']);
    expect(ledger.report()).toMatchObject({ chainBroken: [2, 3], through: 3 });
  });

  it('takes a new card for a journal begun anew, not for conflicts, whatever of it comes first', () => {
    const ledger = new GateLedger({ exact });
    ledger.take(message(chain(1, 50, { epoch: 7 })));
    const fresh = chain(1, 51, { epoch: 900, what: 'new' });
    // Live events come first. One has the next number of the old journal, and is not acknowledged for it.
    ledger.take(message(fresh.slice(50), { historical: false }));
    expect(ledger.through).toBe(50);
    const { notes } = ledger.take(message(fresh.slice(0, 30)));
    expect(kinds(notes)[0]).toBe('anew 900');
    expect([ledger.through, ledger.throughEpoch]).toEqual([30, 900]);
    ledger.take(message(fresh.slice(30, 50)));
    const report = ledger.report();
    expect(report).toMatchObject({ events: 51, through: 51, conflicting: [], chainBroken: [], missing: [] });
    expect(report.earlier).toMatchObject([{ events: 50, through: 50, highest: 50, conflicting: [], chainBroken: [], missing: [] }]);
  });

  it('goes back to the old journal where the old card is put in again', () => {
    const ledger = new GateLedger({ exact });
    const old = chain(1, 20, { epoch: 7 });
    ledger.take(message(old));
    ledger.take(message(chain(1, 3, { epoch: 900 })));
    ledger.take(message(chain(21, 25, { epoch: 8, after: old.at(-1)?.hash ?? '' })));
    expect([ledger.through, ledger.throughEpoch]).toEqual([25, 8]);
    expect(ledger.report()).toMatchObject({ through: 3, earlier: [{ through: 25, conflicting: [] }] });
  });

  it('calls a number that a later start issues again a conflict: that is no new journal', () => {
    const ledger = new GateLedger({ exact });
    const events = chain(1, 10, { epoch: 3 });
    ledger.take(message(events));
    const again = chain(9, 12, { epoch: 4, after: events[7]?.hash ?? '' });
    expect(kinds(ledger.take(message(again)).notes).slice(0, 2)).toEqual(['conflicting 9', 'conflicting 10']);
    expect(ledger.report()).toMatchObject({ conflicting: [9, 10], earlier: [] });
  });

  it('begins after the numbers that another platform has', () => {
    const ledger = new GateLedger({ exact });
    ledger.beginAfter(40);
    ledger.take(message(chain(41, 45, { after: 'c'.repeat(64) })));
    expect(ledger.report()).toMatchObject({ through: 45, missing: [], chainBroken: [] });
  });
});

describe('a bounded ledger', () => {
  it('forgets what is far behind: it comes again as repeated, compared or not; near by it is compared', () => {
    const ledger = new GateLedger({ exact: false });
    const events = chain(1, 6_000);
    for (let at = 0; at < 6_000; at += 500) ledger.take(message(events.slice(at, at + 500)));
    expect(kinds(ledger.take(message([event({ seq: 100, what: 'other' })])).notes)).toEqual(['repeated 100']);
    expect(kinds(ledger.take(message([event({ seq: 5_500, what: 'other' })])).notes)).toEqual(['conflicting 5500']);
    const exact = new GateLedger();
    exact.take(message(events));
    expect(kinds(exact.take(message([event({ seq: 100, what: 'other' })])).notes)).toEqual(['conflicting 100']);
  });

  it('keeps no more ahead than it may; what it left out comes again', () => {
    const ledger = new GateLedger({ exact: false });
    const far = event({ seq: 200_000 });
    expect(kinds(ledger.take(message([far], { historical: false })).notes)).toEqual(['not-kept 200000']);
    expect(ledger.report()).toMatchObject({ events: 0, highest: 0 });
  });

  it('goes on from what was stored as if it had never stopped', () => {
    const events = chain(1, 3_000);
    const before = new GateLedger({ exact: false });
    before.take(message(events.slice(0, 2_500)));
    before.take(message(events.slice(2_600, 2_700), { historical: false }));
    const [state] = before.states;
    if (state === undefined) throw new Error('no state');
    const recalled: number[] = [];
    const kept = [...events.slice(1_000, 2_500), ...events.slice(2_600, 2_700)];
    const after = new GateLedger({
      exact: false,
      recall: (_journal, seq) => {
        recalled.push(seq);
        return events[seq - 1];
      },
      from: [{ state, kept }],
    });
    expect(after.report()).toEqual(before.report());
    expect(kinds(after.take(message([event({ seq: 5, what: 'other' })])).notes)).toEqual(['conflicting 5']);
    expect(recalled).toEqual([5]);
    after.take(message(events.slice(2_500, 2_600)));
    expect(after.through).toBe(2_700);
  });
});
