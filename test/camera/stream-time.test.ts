import { describe, expect, it } from 'vitest';
import { PictureTimes } from '../../src/camera/picture-times.js';
import { StreamLag } from '../../src/camera/stream-lag.js';

describe('how late a stream is', () => {
  const frameMs = 125;

  it('is nothing while its pictures keep their pace, whatever its clock says', () => {
    const lag = new StreamLag();
    for (let at = 0; at < 100; at += 1) expect(lag.take(50_000 + at * frameMs, 7e9 + at * frameMs)).toBe(0);
  });

  it('grows by what a decoder falls behind, and is over when it has caught up', () => {
    const lag = new StreamLag();
    for (let at = 0; at < 20; at += 1) lag.take(at * frameMs, at * frameMs);
    // takes two times of the camera for each picture
    for (let at = 1; at <= 40; at += 1) expect(lag.take((20 + at * 2) * frameMs, (20 + at) * frameMs)).toBeCloseTo(at * frameMs, -2);
    expect(lag.take(101 * frameMs, 101 * frameMs)).toBeCloseTo(0, -2);
  });

  it('does not creep up over days where the camera’s clock is slow, nor is a lasting delay soon forgotten', () => {
    const slow = new StreamLag();
    let lateMs = 0;
    for (let ms = 0; ms < 86_400_000; ms += 10_000) lateMs = Math.max(lateMs, slow.take(ms, ms * 0.99995));
    expect(lateMs).toBeLessThan(5);
    const starved = new StreamLag();
    starved.take(0, 0);
    for (let ms = 5_000; ms < 600_000; ms += 5_000) lateMs = starved.take(ms, ms - 3_000);
    expect(lateMs).toBeGreaterThan(2_500);
  });

  it('is not known while the pictures come that waited in the network for the connection', () => {
    const lag = new StreamLag();
    // eight seconds of pictures, taken from the network at four times their pace
    for (let at = 0; at < 85; at += 1) {
      const arrivedMs = 8_000 + (at * frameMs) / 4;
      lag.take(arrivedMs, at * frameMs);
      expect(lag.settled(arrivedMs)).toBe(false);
    }
    const settled = Array.from({ length: 30 }, (_, at) => {
      lag.take((85 + at) * frameMs, (85 + at) * frameMs);
      return lag.settled((85 + at) * frameMs);
    });
    expect(settled.indexOf(true)).toBeGreaterThan(10);
    expect(settled.slice(-8)).toEqual(Array.from({ length: 8 }, () => true));
  });

  it('begins anew where a clock was set back by an hour, which no network holds pictures for', () => {
    const lag = new StreamLag();
    lag.take(3_600_000, 3_600_000);
    expect(lag.take(3_601_000, 1_000)).toBe(0);
    expect(lag.take(3_603_000, 2_000)).toBeCloseTo(1_000, -2);
  });

  it('begins anew from the first picture of a clock that was set ahead', () => {
    const lag = new StreamLag();
    lag.take(0, 0);
    expect(lag.take(1_000, 3_601_000)).toBe(0);
    expect(lag.take(2_500, 3_602_000)).toBeCloseTo(500, -1);
  });
});

describe('the times that ffmpeg tells of its pictures', () => {
  it('belong to pictures by their number, in pieces as they come', () => {
    const times = new PictureTimes();
    times.push('frame:0    pts:0       pts_time:0\nat=1\nframe:1    pts:11');
    expect(times.take(0)).toBe(0);
    expect(times.take(1)).toBeUndefined();
    times.push('250   pts_time:0.125\nat=1\nframe:2    pts:NOPTS   pts_time:NOPTS\nframe:3    pts:33750   pts_time:0.375\n');
    expect(times.take(2)).toBeUndefined();
    expect(times.take(3)).toBe(375);
  });
});
