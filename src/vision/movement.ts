import type { Image } from './image.js';

const columns = 80;
const rows = 45;
const cells = columns * rows;
/** Gray levels by which a cell must differ, beyond a change of the whole picture's light. */
const levels = 14;
/** Share of the cells that must differ: about one plate of 60 pixels in 1280. */
const share = 0.003;

/**
 * Whether something moves before a camera: compares a coarse gray picture with the one before and with a slowly learnt
 * background. Costs some tens of microseconds, so an idle lane need not be searched for plates at full rate.
 */
export class MovementGate {
  #before = new Float32Array(cells);
  #background = new Float32Array(cells);
  #now = new Float32Array(cells);
  #known = false;
  #size = '';

  /** True for the first picture and after a change of size. */
  moved(image: Image): boolean {
    coarse(image, this.#now);
    const size = `${image.width}x${image.height}`;
    if (!this.#known || size !== this.#size) {
      this.#size = size;
      this.#known = true;
      this.#before.set(this.#now);
      this.#background.set(this.#now);
      return true;
    }
    const sinceBefore = changed(this.#now, this.#before);
    const sinceBackground = changed(this.#now, this.#background);
    for (let at = 0; at < cells; at += 1) {
      const value = this.#now[at] ?? 0;
      this.#before[at] = value;
      const learnt = this.#background[at] ?? 0;
      this.#background[at] = learnt + (value - learnt) * 0.02;
    }
    return sinceBefore > share || sinceBackground > 3 * share;
  }
}

/** Mean gray of a few pixels of each cell, less the mean of all: a cloud before the sun is no movement. */
function coarse({ data, width, height }: Image, into: Float32Array): void {
  let sum = 0;
  for (let row = 0; row < rows; row += 1) {
    const y0 = Math.floor(((row + 0.25) * height) / rows);
    const y1 = Math.floor(((row + 0.75) * height) / rows);
    for (let column = 0; column < columns; column += 1) {
      const x0 = Math.floor(((column + 0.25) * width) / columns);
      const x1 = Math.floor(((column + 0.75) * width) / columns);
      const value = (gray(data, y0 * width + x0) + gray(data, y0 * width + x1) + gray(data, y1 * width + x0) + gray(data, y1 * width + x1)) / 4;
      into[row * columns + column] = value;
      sum += value;
    }
  }
  const mean = sum / cells;
  for (let at = 0; at < cells; at += 1) into[at] = (into[at] ?? 0) - mean;
}

function gray(data: Uint8Array, pixel: number): number {
  const at = pixel * 3;
  return (data[at] ?? 0) * 0.299 + (data[at + 1] ?? 0) * 0.587 + (data[at + 2] ?? 0) * 0.114;
}

function changed(a: Float32Array, b: Float32Array): number {
  let count = 0;
  for (let at = 0; at < cells; at += 1) if (Math.abs((a[at] ?? 0) - (b[at] ?? 0)) > levels) count += 1;
  return count / cells;
}
