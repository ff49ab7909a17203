import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { createDevice, type LineRef } from '../../src/device/index.js';
import { z } from 'zod';

// Holds a GPIO output and then dies of an exception nobody catches, or (argument `stay`) waits to be killed.
const ref: LineRef = z.object({ device: z.string(), chip: z.string(), line: z.number() }).parse(JSON.parse(process.argv[2] ?? ''));
const device = createDevice({ id: ref.device, driver: 'gpio', interface: 'sysfs' }, systemClock, silentLog);
const output = device.output(ref);
await device.start();
await output.hold();
setTimeout(() => {
  if (process.argv[3] !== 'stay') throw new Error('an exception nobody catches');
}, 20);
