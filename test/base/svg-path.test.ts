import { describe, expect, it } from 'vitest';
import { svgPathData } from '../../src/base/index.js';
import { loadFonts, textPath } from '../../src/sim/index.js';

describe('outlines as SVG paths', () => {
  it('writes every command with its coordinates', () => {
    const d = svgPathData([{ type: 'M', x: 1, y: 2.005 }, { type: 'L', x: -3, y: 4 }, { type: 'Q', x1: 0, y1: 0.5, x: 1, y: 1 }, { type: 'C', x1: 1, y1: 2, x2: 3, y2: 4, x: 5, y: 6 }, { type: 'Z' }], 1);
    expect(d).toBe('M1 2L-3 4Q0 0.5 1 1C1 2 3 4 5 6Z');
  });

  it('keeps a coordinate a hair above a whole number', () => {
    expect(svgPathData([{ type: 'M', x: 64.00000000000001, y: 463.99999999999994 }], 2)).toBe('M64 464');
  });

  it('writes a line of text without a hole in any place of it', async () => {
    const fonts = await loadFonts();
    for (let x = 0; x < 1_000; x += 37) expect(textPath(fonts, '京A0123456789', x, 78, 80).svg).not.toContain('NaN');
  });
});
