import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONFUSIONS, NEAR_DISTANCE, isPlateText, lookAlikeDistance, lookAlikesOf, nearLookAlikes, parsePlate, type PlateText } from '../../src/plate/index.js';
import { likeCharacter, lookAlikesOfCharacter, unlike } from '../support/look-alikes.js';
import { anyPlate } from './arbitraries.js';

const plate = (raw: string): PlateText => parsePlate(raw).text;

describe('look-alikes', () => {
  it.each([
    ['京A8B888', '京A88888'],
    ['京A12345', '京A1Z345'],
    ['京A12345', '京A1234S'],
    ['京AD1234', '京A01234'],
    ['京AQ1234', '京A01234'],
    ['粤OA1234', '粤DA1234'],
    ['皖A12345', `${likeCharacter('皖')}A12345`],
    ['琼A12345', `${likeCharacter('琼')}A12345`],
  ])('%s is near %s', (a, b) => {
    expect(lookAlikeDistance(a, b)).toBeGreaterThan(0);
    expect(lookAlikeDistance(a, b)).toBeLessThanOrEqual(NEAR_DISTANCE);
    expect(nearLookAlikes(plate(a), new Set([plate(b), plate(a)]))).toEqual([{ text: b, distance: lookAlikeDistance(a, b) }]);
  });

  it.each([
    ['an unrelated character', '京A12345', `京A1234${unlike('5')}`],
    ['two confusions at once', '京A8B234', '京A88Z34'],
    ['a province and a digit', '京A12345', `${likeCharacter('京')}A1Z345`],
    ['a character too many', '京A12345', '京AD12345'],
  ])('%s is not near', (_name, a, b) => {
    expect(lookAlikeDistance(a, b)).toBeGreaterThan(NEAR_DISTANCE);
  });

  it('sorts the nearest first', () => {
    const near = lookAlikesOfCharacter('0').filter((char) => char !== 'O');
    const list = new Set([...near].reverse().map((char) => plate(`京A12${char}45`)));
    expect(near.length).toBeGreaterThan(1);
    expect(nearLookAlikes(plate('京A12045'), list).map(({ text }) => text)).toEqual(near.map((char) => `京A12${char}45`));
  });

  it('names so few that a list is asked a few hundred times at most', () => {
    fc.assert(
      fc.property(anyPlate, (text) => {
        expect([...lookAlikesOf(plate(text))].length).toBeLessThan(400);
      }),
    );
  });

  it('the table leaves no room for two confusions at once', () => {
    for (const { cost } of CONFUSIONS) expect(cost).toBeGreaterThan(NEAR_DISTANCE / 2);
  });

  it('is a distance: zero only for itself, the same both ways, and a gap costs one', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (a, b) => {
        expect(lookAlikeDistance(a, b) === 0).toBe(a === b);
        expect(lookAlikeDistance(a, b)).toBeCloseTo(lookAlikeDistance(b, a), 9);
        expect(lookAlikeDistance(a, '')).toBe(Array.from(a).length);
      }),
    );
  });

  it('what it enumerates is near, a plate, and not the plate itself', () => {
    fc.assert(
      fc.property(anyPlate, (text) => {
        for (const { text: other, distance } of lookAlikesOf(plate(text))) {
          expect(isPlateText(other)).toBe(true);
          expect(other).not.toBe(text);
          expect(lookAlikeDistance(text, other)).toBeLessThanOrEqual(distance + 1e-9);
        }
      }),
    );
  });
});
