import { GateError, errorText, type Clock, type LastWill, type Log } from '../base/index.js';
import { carryOut, type Contacts, type Device, type DigitalOutput, type LineRef } from '../device/index.js';

/** A lane's contacts and what is to be done with them. */
export interface Estate {
  readonly lane: string;
  readonly outputs: { readonly open: LineRef; readonly close?: LineRef | undefined; readonly others: readonly LineRef[] };
  /** The OPEN contact may be held by this program or by one that died. */
  readonly holds: boolean;
  readonly pulseMs: number;
  readonly deadTimeMs: number;
  readonly will: LastWill;
  /** Since when, or from when on, the CLOSE contact is off, monotonic ms of the clock given; null where nobody knows. */
  readonly closeOffMs: number | null;
}

/** How far a lane's will was carried out. */
export interface Act {
  readonly lane: string;
  readonly will: LastWill;
  readonly done: boolean;
  /** Why not yet. */
  readonly error?: string | undefined;
}

/** Between tries with hardware that does not answer. */
const retryMs = 250;
/** A bus with a silent unit takes its time to start; nothing waits longer for it than this. */
const startLimitMs = 2_000;

/** One lane's estate with its contacts claimed. */
interface Claimed {
  readonly estate: Estate;
  readonly devices: ReadonlySet<Device>;
  readonly contacts: Contacts | undefined;
  error: string | undefined;
  done: boolean;
}

/**
 * Carries out the last wills of lanes whose program died: opens their devices, does with the contacts what each will says,
 * and keeps trying where the hardware does not answer. Lanes and devices work side by side: one that fails or hangs keeps
 * no other waiting.
 */
export class Executor {
  readonly #devices: readonly Device[];
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #lanes: readonly Claimed[];
  readonly #started = new Map<Device, Promise<void>>();
  #work: Promise<void>[] = [];
  #stopping = false;
  #wake: (() => void)[] = [];

  /**
   * Claims every contact.
   * @param devices fresh ones, not started
   */
  constructor(devices: readonly Device[], estates: readonly Estate[], clock: Clock, log: Log) {
    this.#devices = devices;
    this.#clock = clock;
    this.#log = log;
    this.#lanes = estates.map((estate) => this.#claim(estate));
  }

  get acts(): readonly Act[] {
    return this.#lanes.map(({ estate: { lane, will }, done, error }) => ({ lane, will, done, ...(error === undefined ? {} : { error }) }));
  }

  /** Something is held, so the devices have to stay open. */
  get holds(): boolean {
    return this.#lanes.some(({ estate }) => estate.will === 'hold');
  }

  /** Resolves once every will is carried out, or `letGo` was called, or after `limitMs`; look at `acts`. Never rejects. */
  async run(limitMs = Infinity): Promise<void> {
    for (const device of this.#devices) this.#started.set(device, this.#start(device));
    this.#work = this.#lanes.map((lane) => this.#serve(lane));
    const all = Promise.all(this.#work).then(() => undefined);
    if (limitMs === Infinity) {
      await all;
      return;
    }
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(limitMs, resolve);
      void all.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** Lets go of the devices; what is held stays energised, and a raise under way is finished first. Never rejects. */
  async letGo(): Promise<void> {
    this.#stopping = true;
    for (const wake of this.#wake.splice(0)) wake();
    await Promise.all(this.#work);
    await Promise.all(
      this.#devices.map(async (device) => {
        try {
          await device.stop();
        } catch (error) {
          this.#log.error({ device: device.id, error: errorText(error) }, 'a device could not be let go');
        }
      }),
    );
  }

  #claim(estate: Estate): Claimed {
    const devices = new Set<Device>();
    const claim = (ref: LineRef): DigitalOutput => {
      const device = this.#devices.find(({ id }) => id === ref.device);
      if (device === undefined) throw new GateError('DEVICE_LINE_INVALID', `There is no device ${ref.device}; check the configuration.`, { line: ref });
      devices.add(device);
      return device.output(ref);
    };
    try {
      const { open, close, others } = estate.outputs;
      const contacts = { open: claim(open), close: close === undefined ? undefined : claim(close), others: others.map(claim) };
      if (estate.holds) contacts.open.preserve?.();
      return { estate, devices, contacts, error: undefined, done: false };
    } catch (error) {
      return { estate, devices, contacts: undefined, error: errorText(error), done: false };
    }
  }

  async #start(device: Device): Promise<void> {
    try {
      const started = device.start();
      await Promise.race([started, this.#pause(startLimitMs)]);
    } catch (error) {
      this.#log.error({ device: device.id, error: errorText(error) }, 'a device does not start');
    }
  }

  async #serve(lane: Claimed): Promise<void> {
    const { estate, contacts } = lane;
    if (contacts === undefined) return;
    await Promise.all([...lane.devices].flatMap((device) => this.#started.get(device) ?? []));
    while (!this.#isStopping()) {
      try {
        await carryOut(estate.will, contacts, estate, this.#clock);
        lane.done = true;
        lane.error = undefined;
        return;
      } catch (error) {
        if (lane.error === undefined) this.#log.error({ lane: estate.lane, will: estate.will, error: errorText(error) }, 'a contact does not obey, trying on');
        lane.error = errorText(error);
        await this.#pause(retryMs);
      }
    }
  }

  #isStopping(): boolean {
    return this.#stopping;
  }

  /** Ends early when the devices are to be let go. */
  async #pause(durationMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(durationMs, resolve);
      this.#wake.push(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}
