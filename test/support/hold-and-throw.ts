import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { GpioDevice } from '../../src/device/gpio/index.js';
import type { LineRef } from '../../src/device/index.js';
import { z } from 'zod';

// Energises a GPIO output (arguments: the line, how, the kernel's interface), says so, and then dies of an exception
// nobody catches, or waits to be killed.
const ref: LineRef = z.object({ device: z.string(), chip: z.string(), line: z.number() }).parse(JSON.parse(process.argv[2] ?? ''));
const how = z.enum(['throw', 'stay', 'pulse', 'preserve']).default('throw').parse(process.argv[3]);
const device = new GpioDevice({ id: ref.device, interface: z.enum(['auto', 'chardev', 'sysfs']).default('sysfs').parse(process.argv[4]) }, systemClock, silentLog);
const output = device.output(ref);
if (how === 'preserve') output.preserve?.();
await device.start();
await (how === 'pulse' ? output.pulse(60_000) : output.hold());
process.stdout.write('energised\n');
setTimeout(() => {
  if (how === 'throw') throw new Error('an exception nobody catches');
}, 20);
