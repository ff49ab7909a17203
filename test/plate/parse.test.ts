import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isGateError } from '../../src/base/index.js';
import { PATTERNS, isPlateText, normalisePlate, parsePlate, plateTypesFor, samePlate, tryParsePlate, type PlateType } from '../../src/plate/index.js';
import { PLATE_TYPES, anyPlate, badlyWritten, plateOf } from './arbitraries.js';

const STANDARD: readonly PlateType[] = ['small-car', 'large-car', 'motorcycle', 'low-speed', 'temporary'];

describe('plates of the street', () => {
  it.each<[string, string, readonly PlateType[]]>([
    ['京QM86H8', '京QM86H8', STANDARD],
    ['京a·12345', '京A12345', STANDARD],
    ['皖 A·8B888', '皖A8B888', STANDARD],
    ['粤O12345', '粤O12345', STANDARD],
    ['粤012345', '粤O12345', STANDARD],
    ['鲁BOI234', '鲁B01234', STANDARD],
    ['沪ＡＤ１２３４５', '沪AD12345', ['new-energy-small']],
    ['京AF0123O', '京AF01230', ['new-energy-small']],
    ['京AK12345', '京AK12345', ['new-energy-small']],
    ['京A12345F', '京A12345F', ['new-energy-large']],
    ['京A1234警', '京A1234警', ['police']],
    ['皖A1234学', '皖A1234学', ['learner']],
    ['皖A1234學', '皖A1234学', ['learner']],
    ['冀BX123挂', '冀BX123挂', ['trailer']],
    ['粤ZA123港', '粤ZA123港', ['hong-kong']],
    ['粵Z1234澳', '粤Z1234澳', ['macau']],
    ['224578使', '224578使', ['embassy']],
    ['使014578', '使014578', ['embassy']],
    ['沪A0023领', '沪A0023领', ['consulate']],
    ['沪01234领', '沪01234领', ['consulate']],
    ['VA12345', 'VA12345', ['military']],
    ['WJ京1234X', 'WJ京1234X', ['armed-police']],
    ['WJ01-12345', 'WJ0112345', ['armed-police']],
    ['WJ12345', 'WJ12345', ['armed-police']],
    ['川X1234应急', '川X1234应急', ['emergency']],
    ['川S1234應急', '川S1234应急', ['emergency']],
    ['京12345应急', '京12345应急', ['emergency']],
  ])('%s is %s', (raw, text, types) => {
    expect(parsePlate(raw)).toEqual({ text, types });
    expect(plateTypesFor(raw)).toEqual(types);
  });

  it.each([
    ['', 'the plate is empty; write it as on the car, e.g. 京A12345'],
    [' · ', 'the plate is empty; write it as on the car, e.g. 京A12345'],
    ['京A1234', '"京A1234" has 6 characters; a plate has 7 characters, with new energy or 应急 8, e.g. 京A12345'],
    ['AB', '"AB" has 2 characters; a plate has 7 characters, with new energy or 应急 8, e.g. VA12345'],
    ['台A12345', '"台A12345": character 1 is "台", expected a province character such as 京, 沪 or 粤, e.g. 京A12345'],
    ['京A123?5', '"京A123?5": character 6 is "?", expected a digit or a letter (without I and O), e.g. 京A12345'],
    ['京AL12345', '"京AL12345": character 3 is "L", expected a new energy letter (A to K without I), e.g. 京AD12345'],
    ['京AD123X5', '"京AD123X5": character 7 is "X", expected a digit, e.g. 京AD12345'],
    ['京I12345', '"京I12345": character 2 is "I", expected the letter of the issuing office (A to Z without I), e.g. 京A12345'],
  ])('%j is refused with what is wrong and an example', (raw, message) => {
    expect(() => parsePlate(raw)).toThrow(`PLATE_INVALID: ${message}`);
    expect(tryParsePlate(raw)).toBeUndefined();
    expect(plateTypesFor(raw)).toEqual([]);
    try {
      parsePlate(raw);
    } catch (error) {
      expect(isGateError(error, 'PLATE_INVALID')).toBe(true);
    }
  });

  it('gives every new energy letter its types, not only D and F', () => {
    for (const letter of 'ABCDEFGHJK') {
      expect(plateTypesFor(`京A${letter}12345`)).toEqual(['new-energy-small']);
      expect(plateTypesFor(`京A12345${letter}`)).toEqual(['new-energy-large']);
    }
    for (const letter of 'LMNPQRSTUVWXYZ') expect(plateTypesFor(`京A${letter}12345`)).toEqual([]);
  });

  it('cleans what is no plate and leaves its O and I alone', () => {
    expect(normalisePlate('о і·x')).toBe('OIX');
  });
});

describe('laws of the grammar', () => {
  it.each(PLATE_TYPES)('%s survives bad writing', (type) => {
    fc.assert(
      fc.property(plateOf[type].chain((plate) => fc.tuple(fc.constant(plate), badlyWritten(plate))), ([plate, written]) => {
        const parsed = parsePlate(written);
        expect(parsed.text).toBe(plate);
        expect(parsed.types).toContain(type);
        expect(isPlateText(parsed.text)).toBe(true);
        expect(samePlate(written, plate)).toBe(true);
      }),
    );
  });

  it('normalising twice changes nothing, whatever was written', () => {
    fc.assert(fc.property(fc.oneof(fc.string({ unit: 'grapheme' }), anyPlate.chain(badlyWritten)), (raw) => normalisePlate(normalisePlate(raw)) === normalisePlate(raw)));
  });

  it('every text is a plate or refused with words, never anything else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: fc.constantFrom(...Array.from('京粤使领警AO0I1DX应急')), maxLength: 10 })), (raw) => {
        try {
          expect(isPlateText(parsePlate(raw).text)).toBe(true);
        } catch (error) {
          expect(isGateError(error, 'PLATE_INVALID')).toBe(true);
          expect(String(error)).toMatch(/e\.g\. |at least/u);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('no two patterns read one shape differently', () => {
    for (const a of PATTERNS) {
      for (const b of PATTERNS) {
        if (a.positions.length !== b.positions.length) continue;
        const common = a.positions.map((position, at) => Array.from(position.meant).filter(([folded]) => b.positions[at]?.meant.has(folded)));
        if (common.some((shared) => shared.length === 0)) continue;
        common.forEach((shared, at) => shared.forEach(([folded, meant]) => expect(b.positions[at]?.meant.get(folded)).toBe(meant)));
      }
    }
  });

  it('only the normal form counts as plate text', () => {
    expect(isPlateText('京A12345')).toBe(true);
    for (const text of ['京a12345', '京A1234O', '京A·12345', '粤012345', '']) expect(isPlateText(text)).toBe(false);
    expect(samePlate('京A12345', '京A12346')).toBe(false);
  });
});
