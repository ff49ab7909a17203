import { GateError, errorText, type Clock, type LastWill } from '../base/index.js';
import type { DigitalOutput } from './contract.js';

/** The contacts of one barrier. */
export interface Contacts {
  readonly open: DigitalOutput;
  readonly close?: DigitalOutput | undefined;
  /** STOP contact and lamps. */
  readonly others: readonly DigitalOutput[];
}

export interface CarryOutTimes {
  readonly pulseMs: number;
  /** Least time between the CLOSE and the OPEN contact. */
  readonly deadTimeMs: number;
  /** Since when, or from when on, the CLOSE contact is off, monotonic ms of the clock given; null where nobody knows. */
  readonly closeOffMs: number | null;
}

/** A relay may need a moment beyond its pulse before it is released for good. */
const pulseGraceMs = 50;

/**
 * Does with a barrier's contacts what its lane's last will says, for a program that stops and for whoever outlives one
 * that died. Devices have been started. Resolves when the hardware has taken all of it and a raise's pulse is over.
 * Rejects with a `GateError` (`DEVICE_LOST`, `DEVICE_TIMEOUT`) where it did not; calling it again does no harm.
 */
export async function carryOut(will: LastWill, { open, close, others }: Contacts, times: CarryOutTimes, clock: Clock): Promise<void> {
  const closeOff = close === undefined || close.state() === 'off';
  // An OPEN contact that is on already goes on: cutting it short could leave the boom where it is.
  const keepsOpen = will !== 'release' && closeOff && open.state() === 'on';
  const released = [...(close === undefined ? [] : [close]), ...(keepsOpen ? [] : [open]), ...others];
  // One contact that does not obey keeps no other from being released.
  const outcomes = await Promise.allSettled(released.map((output) => output.release()));
  const failure: unknown = outcomes.find((outcome) => outcome.status === 'rejected')?.reason;
  if (failure !== undefined) throw failure instanceof GateError ? failure : new GateError('DEVICE_LOST', errorText(failure), {}, failure);
  if (will === 'release') return;
  const { pulseMs, deadTimeMs, closeOffMs } = times;
  const nowMs = clock.monoMs();
  // What was told counts only where the hardware says the same.
  const offSinceMs = close === undefined ? -Infinity : closeOff ? Math.min(nowMs, closeOffMs ?? nowMs) : nowMs;
  if (!keepsOpen) await pause(offSinceMs + deadTimeMs - nowMs, clock);
  if (will === 'hold') {
    await open.hold();
    return;
  }
  await open.pulse(pulseMs);
  await pause(pulseMs + pulseGraceMs, clock);
  await open.release();
}

async function pause(durationMs: number, clock: Clock): Promise<void> {
  if (durationMs <= 0) return;
  await new Promise<void>((resolve) => void clock.after(durationMs, resolve));
}
