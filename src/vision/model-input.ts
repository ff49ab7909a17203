/** How a network wants its pictures, from its manifest. */
export interface InputForm {
  readonly layout: 'NCHW' | 'NHWC';
  readonly channels: 'RGB' | 'BGR';
  /** Taken off each channel after scaling, in the order of `channels`. */
  readonly mean?: readonly [number, number, number] | undefined;
  /** What each channel is then divided by, in the order of `channels`. */
  readonly std?: readonly [number, number, number] | undefined;
}

/**
 * Scaled planes of R, G and B, as everything before the networks writes them, in the form a network wants.
 * @param planes `count` pictures of `pixels` pixels, one after the other
 * @returns `planes` itself where the network takes those, as ours do; else a copy
 */
export function inputOf(planes: Float32Array, count: number, pixels: number, { layout, channels, mean, std }: InputForm): Float32Array {
  if (layout === 'NCHW' && channels === 'RGB' && mean === undefined && std === undefined) return planes;
  const into = new Float32Array(planes.length);
  for (let picture = 0; picture < count; picture += 1) {
    const start = picture * 3 * pixels;
    for (let channel = 0; channel < 3; channel += 1) {
      const from = start + (channels === 'RGB' ? channel : 2 - channel) * pixels;
      const to = start + (layout === 'NCHW' ? channel * pixels : channel);
      const step = layout === 'NCHW' ? 1 : 3;
      const less = mean?.[channel] ?? 0;
      const factor = 1 / (std?.[channel] ?? 1);
      for (let at = 0; at < pixels; at += 1) into[to + at * step] = ((planes[from + at] ?? 0) - less) * factor;
    }
  }
  return into;
}

/** The shape of that input. */
export function inputShape(count: number, width: number, height: number, { layout }: Pick<InputForm, 'layout'>): readonly [number, number, number, number] {
  return layout === 'NCHW' ? [count, 3, height, width] : [count, height, width, 3];
}
