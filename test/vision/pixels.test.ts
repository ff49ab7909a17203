import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Quad } from '../../src/base/index.js';
import { applyHomography, homography, insidePolygon, isConvexClockwise, quadIou } from '../../src/vision/geometry.js';
import type { Image } from '../../src/vision/image.js';
import { letterbox, planLetterbox, type LetterboxPlan } from '../../src/vision/letterbox.js';
import { MovementGate } from '../../src/vision/movement.js';
import { straighten } from '../../src/vision/straighten.js';
import { zoneRegion } from '../../src/vision/zone.js';

const rectangle = (x: number, y: number, width: number, height: number): Quad => [
  [x, y],
  [x + width, y],
  [x + width, y + height],
  [x, y + height],
];

function picture(width: number, height: number, colour: (x: number, y: number) => readonly [number, number, number]): Image {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) data.set(colour(x, y), (y * width + x) * 3);
  return { data, width, height };
}

function boxed(image: Image, longSide: number): { plane: (channel: number, x: number, y: number) => number; width: number; height: number } {
  const plan = planLetterbox(image, longSide, 32);
  const tensor = new Float32Array(3 * plan.width * plan.height).fill(-1);
  letterbox(image, plan, { scale: 1 / 255, padValue: 114 }, tensor);
  return { plane: (channel, x, y) => tensor[(channel * plan.height + y) * plan.width + x] ?? NaN, width: plan.width, height: plan.height };
}

describe('a picture laid into the network', () => {
  it('is padded right and below to a multiple of 32 with gray', () => {
    const input = boxed(picture(1_280, 720, () => [255, 0, 51]), 640);
    expect([input.width, input.height]).toEqual([640, 384]);
    expect(input.plane(0, 639, 359)).toBeCloseTo(1, 5);
    expect(input.plane(2, 0, 0)).toBeCloseTo(0.2, 5);
    expect(input.plane(0, 0, 360)).toBeCloseTo(114 / 255, 5);
  });

  it.each([
    ['halved', 1_280, 720],
    ['averaged', 1_000, 700],
    ['taken as it is', 640, 480],
    ['enlarged', 200, 150],
  ])('keeps its colours and places when %s', (_how, width, height) => {
    // red grows to the right, green downwards
    const input = boxed(picture(width, height, (x, y) => [Math.round((255 * x) / (width - 1)), Math.round((255 * y) / (height - 1)), 128]), 640);
    const innerHeight = Math.round((height * 640) / width);
    for (const share of [0.1, 0.5, 0.9]) {
      expect(input.plane(0, Math.round(share * 639), 10)).toBeCloseTo(share, 2);
      expect(input.plane(1, 10, Math.round(share * (innerHeight - 1)))).toBeCloseTo(share, 2);
    }
    expect(input.plane(2, 100, 100)).toBeCloseTo(128 / 255, 2);
  });

  it('averages what it scales down instead of skipping lines', () => {
    const stripes = picture(1_000, 1_000, (_x, y) => (y % 2 === 0 ? [0, 0, 0] : [255, 255, 255]));
    const input = boxed(stripes, 320);
    const column = Array.from({ length: 320 }, (_, y) => input.plane(0, 160, y));
    expect(Math.max(...column) - Math.min(...column)).toBeLessThan(0.4);
  });
});

/** The definition of the area average, pixel by pixel. */
function meanOfArea({ data, width }: Image, plan: LetterboxPlan, channel: number, x: number, y: number): number {
  const [stepX, stepY] = [plan.region.width / plan.innerWidth, plan.region.height / plan.innerHeight];
  const share = (pixel: number, from: number, to: number): number => Math.max(0, Math.min(to, pixel + 1) - Math.max(from, pixel));
  let sum = 0;
  for (let sy = Math.floor(y * stepY); sy < Math.min(plan.region.height, (y + 1) * stepY); sy += 1) {
    for (let sx = Math.floor(x * stepX); sx < Math.min(plan.region.width, (x + 1) * stepX); sx += 1) {
      const weight = share(sx, x * stepX, (x + 1) * stepX) * share(sy, y * stepY, (y + 1) * stepY);
      sum += weight * (data[((plan.region.y + sy) * width + plan.region.x + sx) * 3 + channel] ?? NaN);
    }
  }
  return sum / (stepX * stepY);
}

/** The largest error, in gray levels, of a scaled-down picture of black and white noise; `lead` bytes lie before it in memory. */
function worstError({ width, height }: { width: number; height: number }, plan: LetterboxPlan, seed: number, lead: number): number {
  const bytes = new Uint8Array(width * height * 3 + lead);
  for (let at = 0, state = seed; at < bytes.length; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 31 === 0 ? 255 : (state >>> 16) & 1 ? 0 : state >>> 24;
  }
  const image = { data: bytes.subarray(lead), width, height };
  const tensor = new Float32Array(3 * plan.width * plan.height).fill(NaN);
  letterbox(image, plan, { scale: 1 / 255, padValue: 114 }, tensor);
  let worst = 0;
  for (let channel = 0; channel < 3; channel += 1) {
    for (let y = 0; y < plan.innerHeight; y += 1) {
      for (let x = 0; x < plan.innerWidth; x += 1) {
        const error = Math.abs((tensor[(channel * plan.height + y) * plan.width + x] ?? NaN) * 255 - meanOfArea(image, plan, channel, x, y));
        worst = Number.isNaN(error) ? NaN : Math.max(worst, error);
      }
    }
  }
  return worst;
}

describe('a picture scaled down', () => {
  it.each([
    ['1280×720 to 512', 1_280, 720, 512, undefined],
    ['a zone of it', 1_280, 720, 512, { x: 205, y: 120, width: 810, height: 500 }],
    ['a zone that begins between words', 1_280, 720, 512, { x: 203, y: 121, width: 815, height: 499 }],
    ['1280×720 to 640', 1_280, 720, 640, undefined],
    ['704×576', 704, 576, 512, undefined],
    ['640×480', 640, 480, 512, undefined],
    ['1920×1080', 1_920, 1_080, 512, undefined],
    ['an odd width', 1_001, 701, 512, undefined],
  ])('is the mean of what each network pixel covers, within half a gray level: %s', (_what, width, height, longSide, region) => {
    expect(worstError({ width, height }, planLetterbox({ width, height }, longSide, 32, region), 7, 0)).toBeLessThan(0.5);
  });

  it('is so for any size, part and place in memory', () => {
    const side = fc.integer({ min: 1, max: 70 });
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(side, side, fc.tuple(share, share, share, share, share, share), fc.integer(), fc.integer({ min: 0, max: 3 }), (width, height, [left, top, wide, high, across, down], seed, lead) => {
        const [x, y] = [Math.floor(left * (width - 1)), Math.floor(top * (height - 1))];
        const region = { x, y, width: 1 + Math.floor(wide * (width - x - 1)), height: 1 + Math.floor(high * (height - y - 1)) };
        const [innerWidth, innerHeight] = [1 + Math.floor(across * (region.width - 1)), 1 + Math.floor(down * (region.height - 1))];
        const plan = { region, scale: innerWidth / region.width, innerWidth, innerHeight, width: innerWidth + 3, height: innerHeight + 2 };
        return worstError({ width, height }, plan, seed, lead) < 0.5;
      }),
      { numRuns: 500 },
    );
  });
});

describe('straightening', () => {
  it('maps the four corners of any sensible quad onto the rectangle', () => {
    const coordinate = fc.double({ min: -20, max: 20, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(coordinate, coordinate), { minLength: 4, maxLength: 4 }), (offsets) => {
        const base = rectangle(100, 100, 300, 120);
        const move = (at: number): readonly [number, number] => [(base[at]?.[0] ?? 0) + (offsets[at]?.[0] ?? 0), (base[at]?.[1] ?? 0) + (offsets[at]?.[1] ?? 0)];
        const quad: Quad = [move(0), move(1), move(2), move(3)];
        const target = rectangle(4, 4, 120, 40);
        const map = homography(quad, target);
        if (map === undefined) throw new Error('no map');
        for (const [at, corner] of quad.entries()) {
          const [x, y] = applyHomography(map, corner);
          expect(x).toBeCloseTo(target[at]?.[0] ?? NaN, 4);
          expect(y).toBeCloseTo(target[at]?.[1] ?? NaN, 4);
        }
      }),
    );
  });

  it('turns a slanted plate upright', () => {
    // left half dark, right half bright along a slanted axis
    const image = picture(400, 300, (x, y) => (x + 0.3 * (y - 150) < 200 ? [20, 20, 20] : [230, 230, 230]));
    const quad: Quad = [
      [130, 100],
      [300, 100],
      [270, 200],
      [100, 200],
    ];
    const into = new Float32Array(3 * 48 * 128);
    expect(straighten(image, quad, { width: 128, height: 48, margin: 4, scale: 1 / 255 }, into)).toBe(true);
    for (const y of [8, 24, 40]) {
      expect(into[y * 128 + 40]).toBeLessThan(0.2);
      expect(into[y * 128 + 90]).toBeGreaterThan(0.8);
    }
  });

  it('refuses corners that lie in one line', () => {
    const image = picture(10, 10, () => [0, 0, 0]);
    const line: Quad = [
      [0, 0],
      [1, 1],
      [2, 2],
      [3, 3],
    ];
    expect(straighten(image, line, { width: 128, height: 48, margin: 4, scale: 1 }, new Float32Array(3 * 48 * 128))).toBe(false);
  });
});

describe('shapes', () => {
  it('overlap by their shared part', () => {
    expect(quadIou(rectangle(0, 0, 10, 10), rectangle(5, 0, 10, 10))).toBeCloseTo(1 / 3, 6);
    expect(quadIou(rectangle(0, 0, 10, 10), rectangle(20, 0, 10, 10))).toBe(0);
    expect(quadIou(rectangle(0, 0, 10, 10), rectangle(0, 0, 10, 10))).toBeCloseTo(1, 6);
  });

  it('that are mirrored or crossed are no plates', () => {
    const [a, b, c, d] = rectangle(0, 0, 10, 4);
    expect(isConvexClockwise([b, a, d, c])).toBe(false);
    expect(quadIou([a, c, b, d], rectangle(0, 0, 10, 4))).toBe(0);
  });

  it('know what lies inside them', () => {
    const zone = [[0, 0.5], [1, 0.5], [1, 1], [0, 1]] as const;
    expect(insidePolygon([0.5, 0.7], zone)).toBe(true);
    expect(insidePolygon([0.5, 0.3], zone)).toBe(false);
  });

  it('of a zone name the part worth searching, with room for a whole plate', () => {
    const region = zoneRegion([[0.4, 0.6], [0.6, 0.6], [0.6, 0.8], [0.4, 0.8]], { width: 1_280, height: 720 }, 512);
    expect(region).toBeDefined();
    expect(region?.x).toBeLessThan(0.4 * 1_280);
    expect(zoneRegion([[0, 0], [1, 0], [1, 1], [0, 1]], { width: 1_280, height: 720 }, 512)).toBeUndefined();
  });
});

describe('a zone', () => {
  it('of the usual camera begins and ends where network pixels do, so that the fast scaling takes it', () => {
    const corner = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }));
    fc.assert(
      fc.property(fc.array(corner, { minLength: 3, maxLength: 6 }), (zone) => {
        const region = zoneRegion(zone, { width: 1_280, height: 720 }, 512);
        return region === undefined || [region.x, region.y, region.width, region.height].every((value) => value % 5 === 0);
      }),
    );
  });
});

describe('the look for movement', () => {
  const road = (shift: number): Image => picture(640, 360, (x, y) => (x > 200 + shift && x < 260 + shift && y > 150 && y < 200 ? [220, 220, 220] : [90, 90, 90]));

  it('sleeps while nothing moves, and under a change of light alone', () => {
    const gate = new MovementGate();
    gate.moved(road(0));
    expect(gate.moved(road(0))).toBe(false);
    const brighter = road(0);
    expect(gate.moved({ ...brighter, data: brighter.data.map((value) => value + 20) })).toBe(false);
  });

  it('wakes when something drives', () => {
    const gate = new MovementGate();
    gate.moved(road(0));
    expect(gate.moved(road(40))).toBe(true);
  });
});
