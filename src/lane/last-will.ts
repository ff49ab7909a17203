import type { LastWill } from '../base/index.js';
import { fireInForce, gatewayCloses, holdDrive, holdsContact, stopInForce, wired } from './facts.js';
import type { WillReport } from './ports.js';
import type { LaneState } from './state.js';

/**
 * The lane's last will as of now, by `failState.softwareDeath` and by what the boom does: a boom this lane lowers is
 * raised in any case, since a pulse-started motor does not know that its gateway died. STOP moves nothing, fire opens.
 */
export function lastWill(state: LaneState): LastWill {
  if (releasingCloses(state) && state.boom.contacts.open.mode === 'hold') return 'hold';
  if (stopInForce(state)) return lowering(state) && !wired(state, 'stop') ? raised(state) : 'release';
  if (fireInForce(state) || lowering(state) || state.settings.failState.softwareDeath === 'open') return raised(state);
  return 'release';
}

/**
 * How soon a silent program has to count as dead. `lowering`: the boom goes down by this lane's act, and nobody but this
 * lane would take it back. `driven`: a contact is on. `calm`: nothing is lost by looking a little longer.
 */
export function watchOf(state: LaneState): WillReport['watch'] {
  if (lowering(state)) return 'lowering';
  const idle = Object.values(state.boom.contacts).every(({ mode, releaseAgainMs }) => mode === 'off' && releaseAgainMs === null);
  return idle ? 'calm' : 'driven';
}

/** Since when, or from when on, the CLOSE contact is off, monotonic ms; null where nobody knows. */
export function closeOffMs(state: LaneState): number | null {
  const { mode, untilMs, offSinceMs } = state.boom.contacts.close;
  if (mode === 'hold') return null;
  return mode === 'pulse' ? untilMs : (offSinceMs ?? 0);
}

function raised(state: LaneState): LastWill {
  return holdsContact(state) ? 'hold' : 'raise';
}

/** The barrier has no loop of its own and goes down as soon as the OPEN contact is released. */
function releasingCloses(state: LaneState): boolean {
  return holdDrive(state) && state.settings.closing === 'gateway-closes';
}

/** On its way down by this lane's doing, about to be, or not yet taken back. */
function lowering(state: LaneState): boolean {
  const { boom } = state;
  if (boom.reversal !== null) return true;
  if (state.settings.closing !== 'gateway-closes' || !gatewayCloses(state)) return false;
  return boom.contacts.close.mode !== 'off' || boom.pending?.direction === 'down' || boom.movement?.direction === 'down';
}
