import type { Quad } from '../base/index.js';
import type { PlateRead } from '../plate/index.js';
import { quadWidth } from './geometry.js';

/** A plate read this surely is taken for read; below it, being right counts for more than being near. */
export const sureConfidence = 0.9;
/** One percent less confidence outweighs four percent more width. */
const doubtWeight = 4;
/** Below `sureConfidence`, reads that differ by less than this are equally unsure. */
const unsureStep = 0.02;

/**
 * The plates of one picture, that of the vehicle at the gate first: of those read surely the nearest, that is the widest,
 * since a plate farther off is another vehicle's however clear it is; after them the others, surest first, of equally
 * unsure ones the widest.
 */
export function nearestSureFirst<T>(plates: readonly T[], of: (plate: T) => { readonly corners: Quad; readonly read: PlateRead | undefined }): T[] {
  const ranked = plates.map((plate) => {
    const { corners, read } = of(plate);
    const confidence = read?.confidence ?? 0;
    const width = quadWidth(corners);
    const sure = confidence >= sureConfidence;
    return { plate, width, level: sure ? Infinity : Math.round(confidence / unsureStep), weight: sure ? width * confidence ** doubtWeight : width };
  });
  return ranked.sort((a, b) => (a.level === b.level ? b.weight - a.weight : b.level - a.level)).map(({ plate }) => plate);
}
