import { GateError } from '../base/index.js';
import { LedgerFile, type GateRecord } from '../platform/index.js';
import type { LedgerReport } from '../uplink/index.js';
import { localTime, print, table } from './output.js';
import { gateNamed } from './platform-line.js';

/** `gatectl platform show`: the ledger of every gate, or all of one. */
export function showLedger(path: string, only: string | undefined, json: boolean): void {
  const name = only === undefined ? undefined : gateNamed(only);
  const file = LedgerFile.look(path);
  let gates: readonly GateRecord[];
  try {
    gates = file.gates(name);
  } finally {
    file.close();
  }
  if (name !== undefined && gates.length === 0) throw new GateError('LEDGER_UNREADABLE', `The ledger ${path} knows no gate ${name.site}/${name.gate}; gatectl platform show without --gate shows all.`, { path });
  if (json) {
    print(JSON.stringify(gates));
    return;
  }
  if (gates.length === 0) {
    print('No gate has been heard yet.');
    return;
  }
  const titles = ['gate', 'state', 'last seen', 'events', 'acknowledged', 'missing', 'declared lost', 'came again', 'conflicts', 'out of turn', 'chain broken'];
  print(table([titles, ...gates.map(rowOf)]));
  if (name !== undefined) for (const { ledger } of gates) print(detailsOf(ledger).join('\n'));
}

const sizeOf = (ranges: LedgerReport['missing']): number => ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);

function rowOf({ site, gate, status, seenMs, ledger }: GateRecord): readonly string[] {
  const state = status === null ? 'not known' : status.state === 'online' ? 'online' : `offline (${status.reason})`;
  const { events, through, missing, declared, repeated, conflicting, reordered, chainBroken } = ledger;
  return [`${site}/${gate}`, state, seenMs === null ? 'never' : localTime(seenMs), ...[events, through, sizeOf(missing), sizeOf(declared), repeated, conflicting.length, reordered.length, chainBroken.length].map(String)];
}

function detailsOf(ledger: LedgerReport): readonly string[] {
  const ranges = (what: string, list: LedgerReport['missing']): readonly string[] => (list.length === 0 ? [] : [`${what}: ${list.map(({ first, last }) => (first === last ? String(first) : `${first} to ${last}`)).join(', ')}`]);
  const numbers = (what: string, list: readonly number[]): readonly string[] => (list.length === 0 ? [] : [`${what}: ${list.join(', ')}`]);
  return [
    ...ranges('Missing, not declared lost', ledger.missing),
    ...ranges('Declared lost by the gate', ledger.declared),
    ...numbers('Two events under one number', ledger.conflicting),
    ...numbers('Out of turn', ledger.reordered),
    ...numbers('Chain broken at', ledger.chainBroken),
    ...numbers('Without their payload', ledger.reduced),
    ...ledger.earlier.map(({ events, highest }, at) => `Journal ${at + 1} before this one: ${events} events, up to ${highest}.`),
  ];
}
