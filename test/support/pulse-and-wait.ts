import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { createDevice } from '../../src/device/index.js';

// Pulses a relay of a Waveshare board and holds one of a plain board, then waits to be killed. Argument: the port.
const device = createDevice(
  {
    id: 'bus',
    driver: 'modbus',
    path: process.argv[2] ?? '',
    baudRate: 9_600,
    parity: 'none',
    stopBits: 1,
    pollMs: 20,
    timeoutMs: 100,
    units: [
      { unit: 1, profile: 'waveshare-relay' },
      { unit: 2, profile: 'generic' },
    ],
  },
  systemClock,
  silentLog,
);
const timed = device.output({ device: 'bus', unit: 1, line: 0 });
const plain = device.output({ device: 'bus', unit: 2, line: 0 });
await device.start();
await timed.pulse(1_000);
await plain.pulse(30_000);
console.log('pulsed');
