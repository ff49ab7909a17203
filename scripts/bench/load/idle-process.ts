/** A Node process that does nothing but watch its own event loop; tells what it saw when asked. */
import { LoopProbe } from './probe.js';

const probe = new LoopProbe();
process.once('message', () => {
  process.send?.({ kind: 'delay', delay: probe.stop() });
  process.disconnect();
});
probe.start();
process.send?.({ kind: 'ready' });
