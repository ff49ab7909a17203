/** A drawing command of a glyph's outline, absolute coordinates, as font libraries give them. */
export type PathCommand =
  | { readonly type: 'M' | 'L'; readonly x: number; readonly y: number }
  | { readonly type: 'Q'; readonly x1: number; readonly y1: number; readonly x: number; readonly y: number }
  | { readonly type: 'C'; readonly x1: number; readonly y1: number; readonly x2: number; readonly y2: number; readonly x: number; readonly y: number }
  | { readonly type: 'Z' };

/**
 * An outline as the `d` of an SVG path. Not left to opentype.js (2.0.0), whose rounding writes NaN for a coordinate a hair
 * above a whole number and so tears glyphs apart.
 * @param digits decimal places kept
 */
export function svgPathData(commands: readonly PathCommand[], digits: number): string {
  const write = (...values: readonly number[]): string => values.map((value) => String(Number(value.toFixed(digits)))).join(' ');
  return commands
    .map((command) => {
      switch (command.type) {
        case 'M':
        case 'L':
          return command.type + write(command.x, command.y);
        case 'Q':
          return `Q${write(command.x1, command.y1, command.x, command.y)}`;
        case 'C':
          return `C${write(command.x1, command.y1, command.x2, command.y2, command.x, command.y)}`;
        case 'Z':
          return 'Z';
      }
    })
    .join('');
}
