import { GateError, silentLog } from '../base/index.js';
import { systemClock } from '../base/system-clock.js';
import type { LaneConfig } from '../config/index.js';
import type { Act, SupervisorState } from '../supervisor/index.js';
import { exitStatus } from './context.js';
import { print } from './output.js';

/** A supervisor at work is waited for this long. */
const settleMs = 10_000;

const words: Readonly<Record<Act['will'], string>> = { release: 'released', raise: 'raised', hold: 'held open' };

/**
 * `gatectl safe-state`: puts every output of the configuration in its fail state, without a running gate (S3). Where a
 * supervisor answers the outputs are its own: it is waited for and its report shown, so that nothing it holds is released.
 */
export async function safeState(configPath: string, json: boolean): Promise<number> {
  const [{ loadEffective }, { configuredWill, putSafe, realLanes }, { askSupervisor, supervisorSocketPath }] = await Promise.all([import('../config/index.js'), import('../daemon/index.js'), import('../supervisor/index.js')]);
  const { config } = await loadEffective(configPath);
  const socketPath = supervisorSocketPath(config.gate.dataDirectory);
  const state = (await askSupervisor(socketPath, true, settleMs, systemClock)) ?? (await askSupervisor(socketPath, false, settleMs, systemClock));
  if (state?.state === 'watching') {
    throw new GateError('COMMAND_REFUSED', `The gate runs (process ${String(state.pid)}) and its outputs are its own. Stop it first: systemctl stop laurel-gate`, { pid: state.pid });
  }
  const acts = state === undefined ? undefined : supervisorActs(state, realLanes(config), configuredWill);
  const done = acts ?? (await putSafe(config, systemClock, silentLog));
  const ok = done.every((act) => act.done);
  if (json) {
    print(JSON.stringify({ ok, by: acts === undefined ? 'gatectl' : 'supervisor', lanes: done }));
  } else {
    for (const { lane, will, done: obeyed, error } of done) print(`${obeyed ? words[will] : `NOT ${words[will].toUpperCase()}`}  ${lane}${error === undefined ? '' : `  ${error}`}`);
    if (!ok) print('Switch off the supply of what did not obey, then look at its wiring and its device.');
  }
  return ok ? exitStatus.ok : exitStatus.failed;
}

/** What the supervisor has done; undefined where it never knew these lanes and so has done nothing for them. */
function supervisorActs(state: SupervisorState, lanes: readonly LaneConfig[], willOf: (lane: LaneConfig) => Act['will']): readonly Act[] | undefined {
  // An ordered stop: the gate itself has carried out the wills before it said goodbye.
  if (state.goodbye) return lanes.map((lane) => ({ lane: lane.id, will: willOf(lane), done: true }));
  const acts = state.takeOver?.acts ?? [];
  return lanes.every(({ id }) => acts.some((act) => act.lane === id)) ? acts : undefined;
}
