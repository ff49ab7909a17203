import { describe, expect, it } from 'vitest';
import type { Quad } from '../../src/base/index.js';
import { parsePlate, type PlateRead } from '../../src/plate/index.js';
import { nearestSureFirst } from '../../src/vision/order.js';

interface Seen {
  readonly corners: Quad;
  readonly read: PlateRead | undefined;
}

function seen(text: string, confidence: number, width: number): Seen {
  const read = confidence === 0 ? undefined : { text: parsePlate(text).text, confidence, characters: Array.from(text, () => confidence), colour: 'blue', rows: 1 } as const;
  return { corners: [[0, 0], [width, 0], [width, width / 3], [0, width / 3]], read };
}

const order = (...plates: readonly Seen[]): readonly (string | undefined)[] => nearestSureFirst(plates, (plate) => plate).map(({ read }) => read?.text);

describe('of several plates in a picture', () => {
  it('the near one goes first, however clear a far one is', () => {
    expect(order(seen('京A11111', 0.992, 60), seen('京B22222', 0.97, 180))).toEqual(['京B22222', '京A11111']);
    expect(order(seen('京B22222', 0.91, 180), seen('京A11111', 0.999, 60))).toEqual(['京B22222', '京A11111']);
  });

  it('of two about as near the one read more surely goes first', () => {
    expect(order(seen('京A11111', 0.92, 110), seen('京B22222', 0.99, 100))).toEqual(['京B22222', '京A11111']);
  });

  it('a near one that could not be read surely gives way to one that could', () => {
    expect(order(seen('京A11111', 0.6, 300), seen('京B22222', 0.95, 80))).toEqual(['京B22222', '京A11111']);
  });

  it('of unsure ones the surer goes first, and of equally unsure ones the nearer', () => {
    expect(order(seen('京A11111', 0.3, 300), seen('京B22222', 0.7, 80), seen('京C33333', 0.701, 90), seen('', 0, 400))).toEqual(['京C33333', '京B22222', '京A11111', undefined]);
  });
});
