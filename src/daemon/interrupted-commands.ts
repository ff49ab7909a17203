import { errorText, type Log } from '../base/index.js';
import type { Journal } from '../journal/index.js';
import { earlierEvents } from './last-run.js';

/** Command events looked through; far more than can be open at once. */
const LOOK_BACK = 500;

/**
 * Ends, on record, the orders of the last run that have no end: whoever gave them learns that nobody knows how they went.
 * For orders of the page, the console and the platform alike.
 * @param epoch this run's; its own orders are left alone
 */
export async function endInterruptedCommands(journal: Journal, epoch: number, log: Log): Promise<void> {
  try {
    const events = await earlierEvents(journal, epoch, ['command.accepted', 'command.done', 'command.failed', 'command.refused'], LOOK_BACK);
    const ended = new Set<string>();
    for (const { type, lane, payload } of events) {
      const { id, issuer, target } = payload;
      if (typeof id !== 'string' || ended.has(id)) continue;
      ended.add(id);
      if (type !== 'command.accepted') continue;
      const reason = 'the gate restarted while this command was carried out; look at the lane, then send a new command';
      await journal.append({ type: 'command.failed', ...(lane === null ? {} : { lane }), payload: { id, issuer: issuer ?? null, target: target ?? null, code: 'COMMAND_INTERRUPTED', reason } });
    }
  } catch (error) {
    log.warn({ error: errorText(error) }, 'orders that the restart cut off cannot be looked up');
  }
}
