import { describe, expect, it } from 'vitest';
import { PLATE_LOOKS, parsePlate, plausibleTypes, type PlateColour, type PlateRows, type PlateType } from '../../src/plate/index.js';
import { PLATE_TYPES } from './arbitraries.js';

describe('what a camera sees narrows the types', () => {
  it.each<[string, PlateColour, PlateRows, readonly PlateType[]]>([
    ['京A12345', 'blue', 1, ['small-car']],
    ['京A12345', 'yellow', 1, ['large-car']],
    ['京A12345', 'yellow', 2, ['large-car', 'motorcycle', 'low-speed']],
    ['京A12345', 'blue', 2, ['motorcycle']],
    ['京A12345', 'black', 1, ['small-car']],
    ['京A12345', 'white', 1, ['temporary']],
    ['京A12345', 'green', 1, []],
    ['京AD12345', 'green', 1, ['new-energy-small']],
    ['京AD12345', 'blue', 1, []],
    ['京A12345D', 'yellow', 1, ['new-energy-large']],
    ['京A1234警', 'white', 1, ['police']],
    ['京A1234警', 'blue', 1, []],
    ['京A1234挂', 'yellow', 2, ['trailer']],
    ['粤Z1234港', 'black', 1, ['hong-kong']],
    ['no plate', 'blue', 1, []],
  ])('%s on %s in %i row(s)', (text, colour, rows, types) => {
    expect(plausibleTypes(text, colour, rows)).toEqual(types);
  });

  it('takes a parsed plate as well', () => {
    expect(plausibleTypes(parsePlate('京A12345'), 'blue', 1)).toEqual(['small-car']);
  });

  it('knows a look for every type', () => {
    for (const type of PLATE_TYPES) {
      expect(PLATE_LOOKS[type].colours.length).toBeGreaterThan(0);
      expect(PLATE_LOOKS[type].rows.length).toBeGreaterThan(0);
    }
  });
});
