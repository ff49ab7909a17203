import type { ClockState } from './clock-trust.js';
import type { RoomHealth } from './health.js';

/** A crystal beyond this is not what it should be: 100 ppm are 8.6 s a day. */
const driftLimitPpm = 100;
/** A clock that may be off by more decides wrongly about hours and passes. */
const offLimitMs = 60_000;

/** How the clock is, in words, for the board, the page and the console. */
export function clockHealth({ trusted, vouched, backwards, boundMs, oscillatorPpm, alonePpm, sinceSynchronisedS, mayBeOffMs }: ClockState): Omit<RoomHealth, 'room'> {
  if (backwards) {
    return {
      state: 'degraded',
      detail: `time ran backwards: the clock says a time before ${new Date(boundMs).toISOString()}, which is known to be past`,
      advice: 'Connect the box to a time server (or look after its satellite receiver); if the later time was the wrong one, a time service that keeps the clock for ten minutes puts it right.',
    };
  }
  if (!trusted) {
    return {
      state: 'degraded',
      detail: 'the time is not known; opening hours, visitor passes and expiries cannot be judged',
      advice: 'Connect the box to a time server (timedatectl timesync-status, chronyc tracking), or give it a hardware clock with a battery.',
    };
  }
  const ppm = [alonePpm, oscillatorPpm].find((one) => one !== null && Math.abs(one) > driftLimitPpm);
  if (ppm !== undefined && ppm !== null) {
    const seconds = (Math.abs(ppm) * 86_400) / 1e6;
    return {
      state: 'degraded',
      detail: `the clock ${ppm > 0 ? 'gains' : 'loses'} ${seconds.toFixed(1)} s a day by itself (${Math.round(ppm)} ppm)`,
      advice: 'Keep a time service reachable; a crystal this far off, if it is not hot or cold, is a reason to exchange the board.',
    };
  }
  if (!vouched && mayBeOffMs !== null && sinceSynchronisedS !== null && mayBeOffMs > offLimitMs) {
    return {
      state: 'degraded',
      detail: `no time service for ${Math.round(sinceSynchronisedS / 86_400)} days; the clock may be off by ${Math.round(mayBeOffMs / 1_000)} s`,
      advice: 'Connect the box to a time server.',
    };
  }
  return { state: 'ok' };
}
