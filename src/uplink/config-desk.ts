import { errorText, type Clock, type JsonObject, type Log } from '../base/index.js';
import { desiredConfigSchema, type ConfigReport, type DesiredConfig } from './config-messages.js';
import type { Desk, DeskReply, Received } from './types.js';

/** What the gate tells an MQTT 5 broker it takes in one packet, less topic and properties: a broker drops what is larger without a word. */
const MOST_BYTES = 240 * 1024;

/** What is in force and under way, and the last outcome. */
export type ConfigurationState = Omit<ConfigReport, 'epoch' | 'atMs' | 'reported'> & { readonly reported: JsonObject };

/** The gate's configuration as the desk sees it. */
export interface ConfigurationPort {
  report(): ConfigurationState;
  /** Takes a desired configuration in; resolves with the outcome it has, or had before, null while it is under way. */
  propose(desired: DesiredConfig): Promise<ConfigReport['outcome']>;
  /** A message that is no desired configuration, for the record. */
  unreadable(about: JsonObject): void;
  /** Told whenever `report` changes. Returns the way to stop. */
  onChange(listener: () => void): () => void;
}

export interface ConfigDeskOptions {
  readonly epoch: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly port: ConfigurationPort;
  readonly reply: DeskReply;
}

/**
 * Takes desired configurations in and reports. What is wrong with one is told in the report; checking, the trial and the
 * return are the gate's. Both topics may be retained: the same message again gets the same answer.
 */
export class ConfigDesk implements Desk {
  readonly topic = 'config';
  readonly #options: ConfigDeskOptions;

  constructor(options: ConfigDeskOptions) {
    this.#options = options;
  }

  start(): Promise<void> {
    this.#options.port.onChange(() => this.#report(undefined, undefined));
    return Promise.resolve();
  }

  connected(): void {
    this.#report(undefined, undefined);
  }

  async handle({ payload, correlation }: Received): Promise<void> {
    // An empty retained message is how MQTT takes a retained one back.
    if (payload.byteLength === 0) return;
    const { port, log, clock } = this.#options;
    try {
      const { desired, fault, id } = parse(payload);
      if (desired !== undefined) {
        this.#report(await port.propose(desired), correlation);
        return;
      }
      log.warn({ id, fault }, 'uplink: a desired configuration cannot be read');
      port.unreadable({ id, code: 'MESSAGE_INVALID', reason: fault });
      this.#report({ version: null, id, issuer: 'unknown', outcome: 'refused', code: 'MESSAGE_INVALID', reasons: [fault], faults: [], atMs: Math.round(clock.wallMs()) }, correlation);
    } catch (error) {
      log.error({ error: errorText(error) }, 'uplink: a desired configuration could not be handled');
    }
  }

  #report(outcome: ConfigReport['outcome'] | undefined, correlation: Buffer | undefined): void {
    const { port, epoch, clock, reply } = this.#options;
    const state = port.report();
    const report = { epoch, atMs: Math.round(clock.wallMs()), ...state, outcome: outcome ?? state.outcome };
    reply('config/report', report, { retain: true, correlation });
  }
}

function parse(payload: Uint8Array): { readonly desired?: DesiredConfig; readonly fault: string; readonly id: string } {
  if (payload.byteLength > MOST_BYTES) return { fault: `${payload.byteLength} bytes; a configuration has at most ${MOST_BYTES}`, id: '' };
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(payload).toString('utf8'));
  } catch {
    return { fault: 'no JSON', id: '' };
  }
  const result = desiredConfigSchema.safeParse(value);
  if (result.success) return { desired: result.data, fault: '', id: result.data.id };
  const id = typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string' ? value.id.slice(0, 64) : '';
  return { fault: result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ').slice(0, 500), id };
}
