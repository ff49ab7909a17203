import { GateError, type Clock, type Log, type Timer } from '../../base/index.js';
import { Claims } from '../claims.js';
import type { Device, DeviceHealth, DigitalInput, DigitalOutput, LineRef, LineReport, Traffic } from '../contract.js';
import { HealthSource } from '../health-source.js';
import { describeLine, longestPulseMs } from '../pulse-limit.js';
import { BusOutput, SharedBus, TrafficTap, type OutputDrive, type TimedPulse } from '../serial/index.js';
import { LineClient, type LineWire } from './client.js';
import { says, statementOf, usualTexts, type InputTexts, type TextPattern } from './grammar.js';
import { LineInput } from './input.js';

/** What is sent to move one contact, and what the device answers. */
export interface OutputTexts {
  readonly name: string;
  readonly on: string;
  readonly off: string;
  /** For a board that ends pulses itself: a text with `{ms}`, `{ds}` (100 ms) or `{s}` for the time. */
  readonly pulse?: string | undefined;
  /** Lines that confirm; without them an order counts as done when it is sent. */
  readonly answer?: { readonly on: TextPattern; readonly off: TextPattern } | undefined;
}

export interface LineOptions extends LineWire {
  readonly id: string;
  /** A statement about an input holds so long, ms; then the input is unknown. */
  readonly silenceMs: number;
  /** How long the device may take to answer, ms. */
  readonly timeoutMs: number;
  /** Asked again and again; absent where the device sends by itself. */
  readonly poll?: { readonly send: string; readonly everyMs: number } | undefined;
  /** A line that says only that the device lives: what it stated before still holds. */
  readonly heartbeat?: TextPattern | undefined;
  /** Inputs whose texts differ from the usual `NAME=1`, `NAME=0`, `NAME=F`. */
  readonly inputs: readonly InputTexts[];
  readonly outputs: readonly OutputTexts[];
}

/** The one device on the line, as the bus counts it. */
const unit = 0;
/** A line that makes no sense for so many times the silence is opened anew. */
const deafSilences = 10;
/** Of what is heard, so much is shown to a technician. */
const mostShown = 60;

const pulseUnits = { '{ms}': 1, '{ds}': 100, '{s}': 1_000 } as const;

/** A simple detector or relay board on a serial line that speaks lines of text; see `grammar.ts` for what it may say. */
export class LineDevice implements Device {
  readonly id: string;
  readonly #options: LineOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #health: HealthSource;
  readonly #claims = new Claims<LineInput, { readonly output: BusOutput; readonly texts: OutputTexts }>();
  readonly #tap: TrafficTap;
  readonly #client: LineClient;
  readonly #bus: SharedBus;
  #running = false;
  #polled = false;
  #connected = false;
  #silence: Timer | undefined;
  #silences = 0;
  #silent = false;
  #lastHeard: string | undefined;
  #ready: (() => void) | undefined;

  constructor(options: LineOptions, clock: Clock, log: Log) {
    this.id = options.id;
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#health = new HealthSource(options.id, log);
    this.#tap = new TrafficTap(clock, log);
    this.#client = new LineClient(options, clock, this.#tap, (line, said) => this.#take(line, said));
    this.#bus = new SharedBus(this.#client, [{ unit, timeoutMs: options.timeoutMs }], clock, log, {
      onConnected: () => {
        log.info({ device: options.id, path: options.path }, 'serial port opened');
        for (const { output } of this.#claims.outputs) output.onConnected();
      },
      onChange: () => this.#follow(),
    });
  }

  input(ref: LineRef): DigitalInput {
    const name = this.#nameOf(ref);
    const texts = this.#options.inputs.find((input) => input.name === name) ?? usualTexts(name);
    return this.#claims.input(name, ref, () => new LineInput(ref, texts, this.#options.silenceMs, this.#clock, this.#log, () => this.#tellHealth()));
  }

  output(ref: LineRef): DigitalOutput {
    const name = this.#nameOf(ref);
    const texts = this.#options.outputs.find((output) => output.name === name);
    if (texts === undefined) {
      throw new GateError('DEVICE_LINE_INVALID', `The ${describeLine(ref)} cannot be used: list it under outputs of the device, with the texts for on and off.`, { line: ref });
    }
    return this.#claims.output(name, ref, () => ({ texts, output: new BusOutput(ref, this.#drive(texts, ref.activeLow ?? false), this.#bus, this.#clock, this.#log) })).output;
  }

  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    this.#claims.close();
    this.#health.set({ state: 'starting' });
    const { poll } = this.#options;
    if (poll !== undefined && !this.#polled) this.#addPoll(poll);
    this.#polled = true;
    const ready = new Promise<void>((resolve) => (this.#ready = resolve));
    this.#armSilence();
    // An input the device never speaks of must not hold up the rest.
    const limit = this.#clock.after(this.#options.silenceMs, () => this.#settle());
    await this.#bus.start();
    this.#follow();
    if (!this.#expects || !this.#bus.connected) this.#settle();
    await ready;
    limit.cancel();
    this.#tellHealth();
  }

  async stop(): Promise<void> {
    if (!this.#running) return;
    await Promise.all(this.#claims.outputs.map(({ output }) => output.shutDown()));
    this.#running = false;
    this.#silence?.cancel();
    this.#silence = undefined;
    await this.#bus.stop();
    this.#forget();
    this.#settle();
    this.#health.set({ state: 'stopped' });
  }

  health(): DeviceHealth {
    return this.#health.get();
  }

  onHealth(listener: (health: DeviceHealth) => void): () => void {
    return this.#health.onChange(listener);
  }

  lines(): readonly LineReport[] {
    return [...this.#claims.inputs, ...this.#claims.outputs.map(({ output }) => output)].map((line) => line.lineReport());
  }

  onTraffic(listener: (traffic: Traffic) => void): () => void {
    return this.#tap.onTraffic(listener);
  }

  /** Whether anything shall be heard; of a board with nothing but outputs there is not. */
  get #expects(): boolean {
    return this.#options.poll !== undefined || this.#claims.inputs.length > 0;
  }

  #nameOf(ref: LineRef): string {
    if (typeof ref.line === 'string' && ref.unit === undefined && ref.chip === undefined && ref.table === undefined) return ref.line;
    throw new GateError('DEVICE_LINE_INVALID', `The ${describeLine(ref)} cannot be used: give line: NAME, the name the device sends, and nothing else.`, { line: ref });
  }

  #drive({ on, off, pulse, answer }: OutputTexts, activeLow: boolean): OutputDrive {
    const order = async (text: string, pattern: TextPattern | undefined, timeoutMs: number): Promise<void> => {
      if (pattern === undefined) await this.#client.say(text);
      else await this.#client.ask(text, (line) => says(line, pattern), timeoutMs);
    };
    // A board that times a pulse switches the contact on and off; wired the other way round it is timed here.
    const timedPulse = pulse === undefined || activeLow ? undefined : timedBy(pulse, (text, timeoutMs) => order(text, answer?.on, timeoutMs));
    return {
      unit,
      timeoutMs: this.#options.timeoutMs,
      set: (active, timeoutMs) => (active !== activeLow ? order(on, answer?.on, timeoutMs) : order(off, answer?.off, timeoutMs)),
      ...(timedPulse === undefined ? {} : { timedPulse }),
    };
  }

  #addPoll({ send, everyMs }: NonNullable<LineOptions['poll']>): void {
    this.#bus.addGroup({
      unit,
      kind: 'poll',
      everyMs,
      required: true,
      told: true,
      read: (timeoutMs) => this.#client.ask(send, (line) => this.#makesSense(line), timeoutMs),
      onUnknown: () => this.#forget(),
    });
  }

  #makesSense(line: string): boolean {
    const { heartbeat } = this.#options;
    if (heartbeat !== undefined && says(line, heartbeat)) return true;
    if (this.#claims.inputs.some(({ texts }) => statementOf(line, texts) !== undefined)) return true;
    return this.#claims.outputs.some(({ texts: { answer } }) => answer !== undefined && (says(line, answer.on) || says(line, answer.off)));
  }

  #take(line: string | undefined, said: string): void {
    if (!this.#running) return;
    this.#lastHeard = said.slice(0, mostShown);
    if (line === undefined || !this.#makesSense(line)) return;
    this.#bus.heard();
    this.#silences = 0;
    this.#silent = false;
    this.#armSilence();
    const { heartbeat } = this.#options;
    if (heartbeat !== undefined && says(line, heartbeat)) for (const input of this.#claims.inputs) input.refresh();
    for (const input of this.#claims.inputs) {
      const statement = statementOf(line, input.texts);
      if (statement !== undefined) input.take(statement);
    }
    for (const { output, texts } of this.#claims.outputs) {
      if (texts.answer === undefined) continue;
      const on = says(line, texts.answer.on);
      if (on !== says(line, texts.answer.off)) output.onReadBack(on !== (output.ref.activeLow ?? false), line.slice(0, mostShown));
    }
    if (this.#claims.inputs.every((input) => input.fresh)) this.#settle();
    this.#tellHealth();
  }

  /** The port came or went. */
  #follow(): void {
    if (this.#bus.connected === this.#connected) {
      this.#tellHealth();
      return;
    }
    this.#connected = this.#bus.connected;
    if (this.#connected) this.#armSilence();
    else {
      this.#forget();
      this.#settle();
    }
    this.#tellHealth();
  }

  #armSilence(): void {
    this.#silence?.cancel();
    if (!this.#running || !this.#expects) return;
    this.#silence = this.#clock.after(this.#options.silenceMs, () => this.#goneSilent());
  }

  #goneSilent(): void {
    this.#silent = true;
    this.#silences += 1;
    this.#forget();
    this.#settle();
    this.#tellHealth();
    this.#armSilence();
    if (this.#silences % deafSilences === 0) this.#bus.reopen(`Nothing that makes sense has come over ${this.#options.path} for a while.`);
  }

  #forget(): void {
    for (const input of this.#claims.inputs) input.forget();
    for (const { output } of this.#claims.outputs) output.onUnknown();
  }

  #settle(): void {
    this.#ready?.();
    this.#ready = undefined;
  }

  #tellHealth(): void {
    if (!this.#running) return;
    const [report] = this.#bus.reports();
    const fault = this.#bus.portFault ?? report?.faults[0];
    if (fault !== undefined) this.#health.set({ state: 'lost', detail: fault });
    else if (this.#silent) this.#health.set({ state: 'lost', detail: this.#silenceText() });
    else if (this.#ready === undefined) {
      const unheard = this.#claims.inputs.filter((input) => !input.fresh).map(({ texts }) => texts.name);
      this.#health.set({
        state: 'ok',
        ...(unheard.length === 0 ? {} : { detail: `The detector on ${this.#options.path} says nothing about ${unheard.join(', ')}; check the names and texts in the configuration.` }),
      });
    }
  }

  #silenceText(): string {
    const { path, baudRate, silenceMs } = this.#options;
    const heard = this.#lastHeard === undefined ? 'No line was heard at all.' : `The last line was ${JSON.stringify(this.#lastHeard)}.`;
    return `The detector on ${path} has sent nothing that makes sense for ${silenceMs} ms; check its power, its wires, ${baudRate} baud and the texts in the configuration. ${heard}`;
  }
}

function timedBy(template: string, send: (text: string, timeoutMs: number) => Promise<void>): TimedPulse | undefined {
  for (const [placeholder, unitMs] of Object.entries(pulseUnits)) {
    if (!template.includes(placeholder)) continue;
    return { unitMs, mostUnits: longestPulseMs / unitMs, send: (units, timeoutMs) => send(template.replace(placeholder, String(units)), timeoutMs) };
  }
  return undefined;
}
