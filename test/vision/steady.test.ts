import { describe, expect, it } from 'vitest';
import type { Quad } from '../../src/base/index.js';
import { parsePlate, type SlotCandidate } from '../../src/plate/index.js';
import { blend, framedAround } from '../../src/vision/steady.js';

const shape = { slots: 8, alphabet: ['', '京', 'A', 'B'], classes: ['blue'], calibration: { points: [[0, 0], [1, 1]] } } as const;
/** Slots of a text, the doubtful ones with their second guess. */
const slotsOf = (text: string, p: number, doubt: Readonly<Record<number, readonly [string, number]>> = {}): SlotCandidate[][] =>
  Array.from({ length: 8 }, (_, slot) => {
    const char = text[slot] ?? '';
    const other = doubt[slot];
    return other === undefined ? [{ char, p }] : [{ char, p: 1 - other[1] }, { char: other[0], p: other[1] }].sort((a, b) => b.p - a.p);
  });
const readingOf = (slots: SlotCandidate[][]) => ({ slots, read: { text: parsePlate(slots.map((slot) => slot[0]?.char ?? '').join('')).text, confidence: 0.5, characters: [], colour: 'blue' as const, rows: 1 as const } });

describe('several framings of one plate', () => {
  it('take the character that most of them see', () => {
    const wrong = readingOf(slotsOf('京A12845', 0.99, { 4: ['B', 0.1] }));
    const right = readingOf(slotsOf('京A12B45', 0.99, { 4: ['8', 0.2] }));
    expect(blend([wrong, right, right], shape)?.read?.text).toBe('京A12B45');
  });

  it('stay in doubt where they disagree', () => {
    const one = readingOf(slotsOf('京A12345', 0.999, { 6: ['6', 0.001] }));
    const other = readingOf(slotsOf('京A12346', 0.999, { 6: ['5', 0.001] }));
    expect(blend([one, other], shape)?.read?.confidence).toBeLessThan(0.6);
  });

  it('are nothing where none was read', () => {
    expect(blend([{ slots: slotsOf('京A', 0.9) }, { slots: [] }], shape)).toBeUndefined();
  });

  it('lie around the plate as it was found, that one first', () => {
    const quad: Quad = [[100, 50], [300, 70], [298, 130], [102, 112]];
    const [first, wider] = framedAround(quad);
    for (const [at, [x, y]] of quad.entries()) {
      expect(first?.[at]?.[0]).toBeCloseTo(x, 6);
      expect(first?.[at]?.[1]).toBeCloseTo(y, 6);
    }
    expect(wider?.[0][0]).toBeLessThan(100);
    expect(wider?.[2][0]).toBeGreaterThan(298);
    // no area, nothing to frame
    expect(framedAround([[5, 5], [5, 5], [5, 5], [5, 5]])).toHaveLength(1);
  });
});
