import { parsePlate, type PlateRead } from '../../src/plate/index.js';

/** A plate as vision would report it. */
export function plateRead(text: string, confidence = 0.99): PlateRead {
  const plate = parsePlate(text);
  return { text: plate.text, confidence, characters: Array.from(plate.text, () => confidence), colour: 'blue', rows: 1 };
}
