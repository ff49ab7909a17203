/** Plays blocks of worlds for a campaign in another process, until that lets go of it. */
import { playBlock, type BlockOrder } from './campaign.js';

process.on('message', (order: BlockOrder) => {
  void playBlock(order).then((result) => process.send?.(result));
});
