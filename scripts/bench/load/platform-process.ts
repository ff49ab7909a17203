/** The platform of the benches, in a process of its own as it is a machine of its own in life. Argument: the broker's address. */
import { silentLog } from '../../../src/base/index.js';
import { ReferencePlatform } from '../../../src/uplink/index.js';
import { gateId, siteId } from './config.js';

const platform = new ReferencePlatform({ url: process.argv[2] ?? '', log: silentLog });
await platform.start();
process.on('message', () => process.send?.({ kind: 'through', through: platform.through(siteId, gateId) }));
process.once('disconnect', () => process.exit(0));
process.send?.({ kind: 'ready' });
