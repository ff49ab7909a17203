import { z } from 'zod';
import { GateError, errorText, type Clock, type Log, type Timer } from '../base/index.js';
import type { Journal } from '../journal/index.js';
import { FIRST_FAILURE, NO_MATCHING_SUBSCRIBERS, reasonText } from './reason-codes.js';

const KEY = 'uplink/photographs';
/** After a broker that did not take one, or nobody there to receive it. */
const AGAIN_MS = 30_000;

const cursorSchema = z.object({ seq: z.number().int().min(0), index: z.number().int().min(0) });
const photographedSchema = z.object({ pictures: z.array(z.object({ kind: z.enum(['frame', 'plate']), id: z.string() })) });

export interface PhotographSenderOptions {
  readonly journal: Pick<Journal, 'events' | 'readEvidence' | 'recall' | 'remember'>;
  readonly clock: Clock;
  readonly log: Log;
  /** `plate`: only what the plate was read from. */
  readonly which: 'plate' | 'all';
  readonly bytesPerSecond: number;
  /** Most bytes the broker takes. */
  readonly most: () => number;
  /** Resolves with the broker's reason code; rejects where the connection ends. */
  readonly publish: (id: string, jpeg: Uint8Array) => Promise<number>;
  readonly fault: (error: GateError) => void;
}

/**
 * Sends photographs after the event that names them is ingested, oldest first, one at a time and no faster than it may. How
 * far it got is on disk, so a restart repeats one photograph at most; its name is its content, so that does no harm.
 */
export class PhotographSender {
  readonly #options: PhotographSenderOptions;
  /** The next one: which of the pictures of the first `passage.photographed` event from `seq` on. */
  #next: z.output<typeof cursorSchema> | undefined;
  #acknowledged = 0;
  #connected = false;
  #working = false;
  #pause: Timer | undefined;

  constructor(options: PhotographSenderOptions) {
    this.#options = options;
  }

  /** @param acknowledged where nothing was ever sent, photographs up to here are left out. @throws JOURNAL_* */
  async start(acknowledged: number): Promise<void> {
    this.#acknowledged = acknowledged;
    const known = cursorSchema.safeParse(await this.#options.journal.recall(KEY));
    if (known.success) this.#next = known.data;
    else await this.#moveTo({ seq: acknowledged + 1, index: 0 });
  }

  connected(): void {
    this.#connected = true;
    this.#go();
  }

  disconnected(): void {
    this.#connected = false;
    this.#pause?.cancel();
    this.#pause = undefined;
  }

  acknowledged(seq: number): void {
    this.#acknowledged = Math.max(this.#acknowledged, seq);
    this.#go();
  }

  #go(): void {
    if (this.#working || !this.#connected || this.#pause !== undefined) return;
    this.#working = true;
    // The connection went, or the journal could not answer.
    const failed = (error: unknown): number => {
      this.#options.log.debug({ error: errorText(error) }, 'uplink: a photograph was not sent');
      return AGAIN_MS;
    };
    void this.#one()
      .catch(failed)
      .then((pauseMs) => {
        this.#working = false;
        if (pauseMs === undefined || !this.#connected) return;
        this.#pause = this.#options.clock.after(pauseMs, () => {
          this.#pause = undefined;
          this.#go();
        });
      });
  }

  /** Sends the next photograph. @returns ms until the one after it; undefined where there is none */
  async #one(): Promise<number | undefined> {
    const { journal, which, bytesPerSecond, most, publish, fault } = this.#options;
    const next = this.#next;
    if (next === undefined || next.seq > this.#acknowledged) return undefined;
    const through = this.#acknowledged;
    const [event] = await journal.events({ types: ['passage.photographed'], after: next.seq - 1, before: through + 1, limit: 1 });
    if (event === undefined) {
      this.#next = { seq: through + 1, index: 0 };
      return this.#acknowledged > through ? 0 : undefined;
    }
    const pictures = photographedSchema.safeParse(event.payload).data?.pictures ?? [];
    const index = event.seq === next.seq ? next.index : 0;
    const picture = pictures[index];
    if (picture === undefined) {
      await this.#moveTo({ seq: event.seq + 1, index: 0 });
      return 0;
    }
    const after = { seq: event.seq, index: index + 1 };
    // Retention may have been faster.
    const jpeg = which === 'plate' && picture.kind !== 'plate' ? undefined : await journal.readEvidence(picture.id);
    if (jpeg === undefined) {
      this.#next = after;
      return 0;
    }
    if (jpeg.byteLength > most()) {
      fault(new GateError('MESSAGE_TOO_LARGE', `photograph ${picture.id} of ${jpeg.byteLength} bytes is not sent: the broker takes ${most()}; raise its limit (mosquitto: max_packet_size)`, { bytes: jpeg.byteLength }));
      await this.#moveTo(after);
      return 0;
    }
    const code = await publish(picture.id, jpeg);
    if (code >= FIRST_FAILURE) fault(new GateError('BROKER_REFUSED', `the broker did not take a photograph: ${reasonText(code)}`, { reasonCode: code }));
    if (code >= FIRST_FAILURE || code === NO_MATCHING_SUBSCRIBERS) return AGAIN_MS;
    await this.#moveTo(after);
    return (jpeg.byteLength * 1_000) / bytesPerSecond;
  }

  async #moveTo(next: z.output<typeof cursorSchema>): Promise<void> {
    this.#next = next;
    await this.#options.journal.remember(KEY, { ...next });
  }
}
