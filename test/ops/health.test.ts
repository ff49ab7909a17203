import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/base/index.js';
import { collectHealth, EventLoopDelay, HealthBoard, Heartbeats, processMetrics } from '../../src/ops/index.js';
import { until } from '../support/until.js';

describe('health', () => {
  it('is as bad as the worst room, and says what to do', () => {
    const health = collectHealth([
      { room: 'journal', state: 'ok' },
      { room: 'camera entry', state: 'degraded', detail: 'no picture for 20 s.', advice: 'Check the camera.' },
      { room: 'device relays', state: 'failed', detail: 'unit 1 does not answer', advice: 'Check its power.' },
    ]);
    expect(health.state).toBe('failed');
    expect(health.summary).toBe('device relays: unit 1 does not answer (and 1 more). Check its power.');
    expect(health.troubles.map((trouble) => trouble.room)).toEqual(['device relays', 'camera entry']);
    expect(collectHealth([])).toMatchObject({ state: 'ok', summary: 'All is well.' });
  });

  it('a room that throws has failed and hides no other', () => {
    const board = new HealthBoard();
    board.add('uplink', () => {
      throw new Error('boom');
    });
    board.add('journal', () => ({ state: 'ok' }));
    expect(board.read().rooms).toMatchObject([{ room: 'uplink', state: 'failed' }, { room: 'journal', state: 'ok' }]);
    board.remove('uplink');
    expect(board.read().state).toBe('ok');
  });

  it('misses the beat of a part that stands still', () => {
    const clock = new ManualClock();
    const beats = new Heartbeats(clock);
    beats.expect('lane entry', 1_000);
    beats.expect('journal', 5_000);
    beats.beat('a stranger');
    clock.advance(2_000);
    expect(beats.stuck()).toEqual(['lane entry (2 s)']);
    beats.beat('lane entry');
    expect(beats.stuck()).toEqual([]);
    clock.advance(10_000);
    beats.forget('lane entry');
    expect(beats.stuck()).toEqual(['journal (12 s)']);
  });
});

describe('measurements', () => {
  it('sees a stalled event loop', async () => {
    const delay = new EventLoopDelay();
    expect(delay.read()).toEqual({ p50Ms: 0, p999Ms: 0, maxMs: 0 });
    delay.start();
    await until(() => delay.read().p50Ms < 10, { what: 'a first reading' });
    await new Promise((resolve) => setTimeout(resolve, 30));
    const endMs = performance.now() + 150;
    while (performance.now() < endMs);
    await until(() => delay.read().maxMs > 100, { what: 'the stall' });
    delay.stop();
    expect(delay.read().maxMs).toBe(0);
  });

  it('gives figures of this process', () => {
    const metrics = processMetrics();
    expect(metrics.memoryMB).toBeGreaterThan(20);
    expect(metrics.heapMB).toBeLessThan(metrics.memoryMB);
    expect(metrics.cpuPercent).toBeGreaterThan(0);
  });
});
