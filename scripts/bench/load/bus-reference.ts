/**
 * What no gate on this bus can beat: a bare `modbus-serial` client that polls eight inputs and, when the first comes on,
 * pulses the first relay at once. Arguments: port, ms between two polls.
 */
import modbusSerial from 'modbus-serial';

const [path = '', pollMs = '20'] = process.argv.slice(2);
const client = new modbusSerial.default();
await client.connectRTUBuffered(path, { baudRate: 9_600 });
client.setID(1);
client.setTimeout(500);
process.once('disconnect', () => process.exit(0));
process.send?.({ kind: 'ready' });

let before = false;
for (;;) {
  const startMs = performance.now();
  const { data } = await client.readDiscreteInputs(0, 8);
  const on = data[0] === true;
  // A hardware pulse of 400 ms (Waveshare: FC05 at 0x0200 + n, in tenths of a second).
  if (on && !before) await client.customFunction(5, [0x02, 0x00, 0x00, 0x04]);
  before = on;
  const restMs = Number(pollMs) - (performance.now() - startMs);
  if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
}
