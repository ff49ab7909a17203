import * as z from 'zod/mini';
import { GateError, isGateError } from '../base/index.js';
import { describeEvent, eventSchema, timeOfEvent, type EventData, type Words } from '../web/view.js';
import type { ControlClient } from './control-client.js';
import { localTime, print, terminalWords } from './output.js';

export interface EventsOptions {
  readonly lane: string | undefined;
  readonly limit: number;
  readonly follow: boolean;
  readonly json: boolean;
}

const answerSchema = z.object({ events: z.array(z.record(z.string(), z.unknown())) });

/** One event on one line: time (`~` corrected afterwards, `?` not known), number, lane, what happened in words. */
export function eventLine(event: EventData, words: Words): string {
  const { title, detail, plate } = describeEvent(event, words);
  const said = [title, plate?.text, detail].filter((part) => part !== undefined && part !== '').join('  ');
  const { wallMs, mark } = timeOfEvent(event, words, localTime);
  return `${localTime(wallMs)}${mark} #${event.seq}  ${event.lane ?? '-'}  ${said}`;
}

/** Prints each event once, in order, whether it came from the journal or from the live feed. */
class EventPrinter {
  readonly #options: EventsOptions;
  readonly #words = terminalWords();
  #printed = 0;

  constructor(options: EventsOptions) {
    this.#options = options;
  }

  print(value: unknown): void {
    const parsed = eventSchema.safeParse(value);
    if (!parsed.success || parsed.data.seq <= this.#printed) return;
    this.#printed = parsed.data.seq;
    if (this.#options.lane !== undefined && parsed.data.lane !== this.#options.lane) return;
    print(this.#options.json ? JSON.stringify(withoutKind(value)) : eventLine(parsed.data, this.#words));
  }
}

function withoutKind(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== 'kind'));
}

function isEvent(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'event';
}

/** `gatectl events`: the newest events, oldest of them first, and with `follow` those that come. */
export async function showEvents(client: ControlClient, options: EventsOptions): Promise<void> {
  const printer = new EventPrinter(options);
  const search = new URLSearchParams({ limit: String(options.limit), ...(options.lane === undefined ? {} : { lane: options.lane }) });
  const past = async (): Promise<void> => {
    const { events } = await client.get(answerSchema, `/api/events?${search.toString()}`);
    for (const event of [...events].reverse()) printer.print(event);
  };
  if (!options.follow) {
    await past();
    return;
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  // `gatectl events --follow | head` closes the pipe; that is no failure.
  process.stdout.once('error', () => stop.abort());
  // The feed is opened before the past is read, so that nothing falls between; what comes meanwhile waits its turn.
  let caughtUp = false;
  const early: unknown[] = [];
  const onLine = (text: string): void => {
    const message: unknown = JSON.parse(text);
    if (!isEvent(message)) return;
    if (caughtUp) printer.print(message);
    else early.push(message);
  };
  const asked = await client.follow('/api/live.jsonl', onLine, stop.signal, async () => {
    // The feed was open, so a gate that does not answer now has gone, rather than never been there.
    await past().catch((error: unknown) => {
      throw isGateError(error, 'CONTROL_UNREACHABLE') ? connectionEnded() : error;
    });
    for (const message of early) printer.print(message);
    caughtUp = true;
  });
  if (!asked) throw connectionEnded();
}

export function connectionEnded(): GateError {
  return new GateError('CONTROL_UNREACHABLE', 'The gate has ended the connection; it may be stopping or restarting. Run the command again.');
}
