import { describe, expect, it } from 'vitest';
import { ManualClock, silentLog } from '../../src/base/index.js';
import { GpioInput } from '../../src/device/gpio/input.js';
import type { GpioLine } from '../../src/device/gpio/line.js';

interface Wired {
  readonly input: GpioInput;
  readonly clock: ManualClock;
  /** Begin and end of trouble, as the device is told of them. */
  readonly troubles: () => number;
  /** So many edges, `everyMs` apart. */
  readonly edges: (count: number, everyMs: number) => void;
}

function wire(): Wired {
  const clock = new ManualClock();
  let troubles = 0;
  const input = new GpioInput({ device: 'gpio', chip: 'pinctrl-rp1', line: 22 }, clock, silentLog, 0, () => (troubles += 1));
  let active = false;
  let heard: (active: boolean) => void = () => undefined;
  const line: GpioLine = {
    hasEdges: true,
    foundActive: false,
    watch: (listener) => (heard = listener),
    read: () => Promise.resolve(active),
    drive: () => undefined,
    close: () => undefined,
  };
  input.attach(line);
  return {
    input,
    clock,
    troubles: () => troubles,
    edges: (count, everyMs) => {
      for (let edge = 0; edge < count; edge += 1) {
        active = !active;
        heard(active);
        clock.advance(everyMs);
      }
    },
  };
}

describe('a chattering GPIO input', () => {
  it('is no bouncing contact and no busy detector', async () => {
    const { input, clock, troubles, edges } = wire();
    await input.refresh();
    edges(20, 0.2);
    expect(input.state()).toBe('off');
    clock.advance(1_000);
    edges(1_001, 11);
    expect([input.state(), input.chattering, troubles()]).toEqual(['on', undefined, 0]);
  });

  it('is a fault from 101 edges within a second, and says what to look for', () => {
    const { input, troubles, edges } = wire();
    edges(100, 5);
    expect(input.state()).toBe('off');
    edges(1, 5);
    expect([input.state(), troubles()]).toEqual(['fault', 1]);
    expect(input.chattering?.message).toMatch(/line 22 of chip pinctrl-rp1.*loose wire/u);
    edges(400, 5);
    expect([input.state(), troubles()]).toEqual(['fault', 1]);
  });

  it('stays a fault until two seconds without a flood, then shows the level there is', async () => {
    const { input, clock, troubles, edges } = wire();
    edges(151, 5);
    clock.advance(1_900);
    await input.refresh();
    expect(input.state()).toBe('fault');
    clock.advance(200);
    await input.refresh();
    expect([input.state(), input.chattering, troubles()]).toEqual(['on', undefined, 2]);
  });

  it('is unknown when its line is lost, and begins anew with the next', () => {
    const { input, edges } = wire();
    edges(150, 1);
    input.detach();
    expect([input.state(), input.chattering]).toEqual(['unknown', undefined]);
  });
});
