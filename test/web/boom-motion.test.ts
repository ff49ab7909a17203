import { describe, expect, it } from 'vitest';
import { BoomMotion } from '../../src/web/page/boom-motion.js';

/** A boom that opens within two seconds, told of every `messageMs`, on a screen that draws every `frameMs`. */
function* opening(messageMs: number, frameMs: number): Generator<{ readonly drawn: number; readonly told: number; readonly atMs: number }> {
  const motion = new BoomMotion(0);
  let told = 0;
  for (let atMs = 0; atMs <= 4_000; atMs += 10) {
    if (atMs % messageMs === 0) {
      const now = Math.min(1, atMs / 2_000);
      if (now !== told) motion.tell(now, now, atMs);
      told = now;
    }
    if (atMs % frameMs !== 0) continue;
    motion.frame(atMs);
    yield { drawn: motion.position, told, atMs };
  }
}

describe('the boom on the page', () => {
  it.each([
    { messageMs: 100, frameMs: 20 },
    { messageMs: 50, frameMs: 250 },
    { messageMs: 20, frameMs: 400 },
  ])('is drawn where it is, told of it every $messageMs ms and drawn every $frameMs ms', ({ messageMs, frameMs }) => {
    for (const { drawn, told, atMs } of opening(messageMs, frameMs)) expect(Math.abs(told - drawn), `at ${atMs} ms`).toBeLessThan(0.15);
  });

  it('runs on between two messages of a lane without a world behind it, and comes to rest where it is told', () => {
    const motion = new BoomMotion(0);
    motion.tell(0, 1, 0);
    motion.frame(600);
    expect(motion.position).toBeCloseTo(0.2);
    motion.tell(1, 1, 3_000);
    for (let atMs = 3_000; motion.moves; atMs += 20) motion.frame(atMs);
    expect(motion.position).toBe(1);
  });

  it('does not play what a hidden tab missed', () => {
    const motion = new BoomMotion(0);
    motion.tell(0, 1, 0);
    motion.frame(60_000);
    expect(motion.position).toBeLessThan(0.5);
  });
});
