/**
 * A relay board with vehicles on its loops, in a process of its own: real boards are not slowed down by what a gate does.
 * Argument: the port. It times from the edge of an input to the relay that closes, and what of it the wire was taken.
 */
import { z } from 'zod';
import { silenceMs } from '../../../src/device/modbus/rtu.js';
import { systemClock } from '../../../src/base/system-clock.js';
import { RelayBoard } from '../../faults/modbus-board.js';
import { wireBaud } from './config.js';

/** `relay`: its closing is timed from here on. */
const orderSchema = z.object({ kind: z.literal('inputs'), inputs: z.record(z.string(), z.boolean()), relay: z.number().optional() });

/** For how long, all in all, a wire has carried something or had to be silent after it ("MODBUS over Serial Line" V1.02 §2.5.1.1). */
class WireClock {
  #totalMs = 0;
  #sinceMs = 0;
  #untilMs = 0;

  onWire(busy: boolean): void {
    const nowMs = systemClock.monoMs();
    if (busy) {
      this.#totalMs = this.busyMs();
      this.#sinceMs = nowMs;
    }
    this.#untilMs = busy ? Infinity : nowMs + silenceMs(wireBaud);
  }

  busyMs(): number {
    return this.#totalMs + Math.min(systemClock.monoMs(), this.#untilMs) - this.#sinceMs;
  }
}

const [path = ''] = process.argv.slice(2);
const inputs = Array.from({ length: 8 }, () => false);
const wire = new WireClock();
const timed = new Map<number, { readonly startMs: number; readonly busyMs: number }>();
const board = new RelayBoard({
  path,
  unit: 1,
  coils: 8,
  clock: systemClock,
  wireBaud,
  inputs: () => inputs,
  onWire: (busy) => wire.onWire(busy),
  onRelay: (relay, on) => {
    const since = timed.get(relay);
    if (!on || since === undefined) return;
    timed.delete(relay);
    process.send?.({ kind: 'closed', relay, ms: systemClock.monoMs() - since.startMs, wireMs: wire.busyMs() - since.busyMs });
  },
});
process.on('message', (message: unknown) => {
  const { inputs: changed, relay } = orderSchema.parse(message);
  for (const [index, on] of Object.entries(changed)) inputs[Number(index)] = on;
  if (relay !== undefined) timed.set(relay, { startMs: systemClock.monoMs(), busyMs: wire.busyMs() });
});
process.once('disconnect', () => void board.stop().finally(() => process.exit(0)));
await board.start();
process.send?.({ kind: 'ready' });
