import * as z from 'zod/mini';
import type { ControlClient } from './control-client.js';
import { print } from './output.js';

export type Target = 'open' | 'close' | 'hold' | 'release' | 'stop' | 'fire' | 'fire-over';

const done: Readonly<Record<Target, string>> = { open: 'is open', close: 'is closed', hold: 'is held open', release: 'is no longer held', stop: 'has stopped', fire: 'is open and held open as for fire', 'fire-over': 'is no longer held open for fire' };
const answerSchema = z.object({ lane: z.string(), target: z.string(), issuer: z.string() });

/** `gatectl open LANE` and its like: orders a lane and says how it went. */
export async function orderLane(client: ControlClient, lane: string, target: Target, reason: string, json: boolean): Promise<void> {
  const answer = await client.post(answerSchema, `/api/lanes/${encodeURIComponent(lane)}/command`, { target, reason });
  print(json ? JSON.stringify({ ...answer, outcome: 'done' }) : `${lane} ${done[target]} (on record: ${answer.issuer}, ${reason}).`);
}
