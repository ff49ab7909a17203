/**
 * The lane is drawn as seen from above its far end: traffic comes towards the viewer. `s` runs along the lane (metres,
 * the boom at 0, arrivals from below), `w` across it (towards the viewer), `z` up.
 */
const scale = { sx: 34, sy: 9.2, wx: -13, wy: 17, z: 31 } as const;

export const viewBox = { x: -338, y: -186, width: 548, height: 262 } as const;

export interface Spot {
  readonly s: number;
  readonly w: number;
  readonly z?: number;
}

export function project({ s, w, z = 0 }: Spot): readonly [number, number] {
  return [s * scale.sx + w * scale.wx, s * scale.sy + w * scale.wy - z * scale.z];
}

/** Where a thing stands that was drawn at `s` = 0. */
export function along(s: number): string {
  return `translate(${(s * scale.sx).toFixed(1)}px, ${(s * scale.sy).toFixed(1)}px)`;
}

/** `points` of an SVG polygon. */
export function points(...spots: readonly Spot[]): string {
  return spots.map((spot) => project(spot).map((value) => value.toFixed(1)).join(',')).join(' ');
}

/** A rectangle on the ground. */
export function ground(fromS: number, toS: number, fromW: number, toW: number): string {
  return points({ s: fromS, w: fromW }, { s: toS, w: fromW }, { s: toS, w: toW }, { s: fromS, w: toW });
}
