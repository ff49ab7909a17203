import type { Words } from './en.js';
import { word } from './look-up.js';

/** What was measured, as the gate sent it. */
export type Facts = Readonly<Record<string, string | number | boolean>>;

interface Found {
  readonly code: string;
  readonly sensors: readonly string[];
  readonly facts: Facts;
}

/** One kind of finding in words. */
export interface FindingText {
  /** @param sensors the lines it is about, in words */
  readonly what: (sensors: string, facts: Facts) => string;
  /** What a technician or a guard does about it. */
  readonly todo: (facts: Facts) => string;
}

/** A vocabulary of findings, looked up by codes that come over the wire. */
export function findingTable(texts: Readonly<Record<string, FindingText>>): Readonly<Record<string, FindingText>> {
  return texts;
}

/** A measured fact as text; empty where it was not sent. */
export function fact(facts: Facts, name: string): string {
  const value = facts[name];
  return value === undefined ? '' : String(value);
}

/** A finding of the diagnosis: what is wrong, with what was measured, and what to do. The code itself where it is not known. */
export function findingWords(finding: Found, words: Words): { readonly what: string; readonly todo: string } {
  const text = words.findings[finding.code];
  const sensors = finding.sensors.map((sensor) => word(words.sensors, sensor)).join(words.listComma);
  if (text === undefined) return { what: [finding.code, sensors].filter((part) => part !== '').join(': '), todo: '' };
  return { what: text.what(sensors, finding.facts), todo: text.todo(finding.facts) };
}
