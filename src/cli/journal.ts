import { join } from 'node:path';
import * as z from 'zod/mini';
import { isGateError } from '../base/index.js';
import { controlSocketPath } from '../web/view.js';
import { exitStatus } from './context.js';
import { ControlClient } from './control-client.js';
import { print } from './output.js';

const verdictSchema = z.object({ checked: z.number(), brokenAt: z.nullable(z.number()) });
type Verdict = z.output<typeof verdictSchema>;

/** `gatectl journal verify`: asks the running gate, or reads a stopped one's journal. */
export async function verifyJournal(dataDirectory: string, json: boolean): Promise<number> {
  let verdict: Verdict;
  try {
    verdict = await new ControlClient(controlSocketPath(dataDirectory)).post(verdictSchema, '/api/journal/verify', {});
  } catch (cause) {
    if (!isGateError(cause, 'CONTROL_UNREACHABLE') || /may not open/u.test(cause.message)) throw cause;
    const { verifyFile } = await import('../journal/offline.js');
    verdict = await verifyFile(join(dataDirectory, 'journal'));
  }
  const { checked, brokenAt } = verdict;
  if (json) print(JSON.stringify({ ok: brokenAt === null, checked, brokenAt }));
  else if (brokenAt === null) print(`The chain holds over ${checked} events.`);
  else print(`The chain breaks at event ${brokenAt}, after ${checked} good ones: something was changed, removed or destroyed there. Keep the data directory as it is and compare with the platform's record.`);
  return brokenAt === null ? exitStatus.ok : exitStatus.failed;
}
