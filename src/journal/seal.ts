import { hash } from 'node:crypto';

const SUM_DIGITS = 16;

/** A text with the beginning of its SHA-256 before it, so that a torn or damaged one is told from a whole one. */
export function seal(text: string): string {
  return `${sumOf(text)} ${text}`;
}

/** The text of a sealed one; undefined where it is not what was sealed. */
export function unseal(sealed: string): string | undefined {
  const text = sealed.slice(SUM_DIGITS + 1);
  return text !== '' && sumOf(text) === sealed.slice(0, SUM_DIGITS) ? text : undefined;
}

/** The beginning of a text's SHA-256, for where it is kept apart. */
export function sumOf(text: string): string {
  return hash('sha256', text, 'hex').slice(0, SUM_DIGITS);
}
