import { createHash } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { GateError, errorText, isGateError, toJsonObject, type Clock, type JsonObject, type Log, type Timer } from '../base/index.js';
import { changesOver, checkManaged, isSameConfiguration, redact, resolvePaths, type EffectiveConfig, type GateConfig, type ManagedConfig, type ManagedOutcome, type ManagedRef, type RemoteFault } from '../config/index.js';
import { canonicalJson, type NewEvent } from '../journal/index.js';
import type { ConfigReport, ConfigurationPort, ConfigurationState } from '../uplink/index.js';
import { readSecrets } from './secrets.js';

/** How long all lanes must have been quiet before the gate is restarted for a configuration. */
const quietForMs = 2_000;
/** Lanes that are never quiet so long: the platform is told that it takes longer. The wait goes on. */
const deferredAfterMs = 600_000;
/** A configuration that failed is not kept longer than this for the sake of quiet lanes; a stop is safe at any time. */
const returnAtMostMs = 60_000;
const lookMs = 500;
/** Without an answer for so long the journal counts as unwell. */
const journalLimitMs = 5_000;
/** Unreadable messages on record per minute; the rest is only logged, so that they cannot fill the disk. */
const mostUnreadableAMinute = 5;
/** Last outcome that is on record as an event. */
const recordedKey = 'config/recorded';
/** Sizes of a payload are bounded, and the report holds all. */
const mostFaultsOnRecord = 50;

/** What the configuration needs of the gate it belongs to. */
export interface ConfigurationHost {
  /** Lanes in which something moves, is inside, or is held; none is the time for a restart. */
  busyLanes(): readonly string[];
  /** Every part of the gate by name, and whether it is well now. */
  parts(): ReadonlyMap<string, boolean>;
  /** Resolves when the journal answers. */
  journalAnswers(): Promise<void>;
  append(event: NewEvent): Promise<unknown>;
  remember(key: string, value: JsonObject): Promise<void>;
  recall(key: string): Promise<JsonObject | undefined>;
  /** Ends this process in order; whoever started it starts it again. */
  restart(reason: string): void;
}

export interface ConfigurationOptions {
  readonly effective: EffectiveConfig;
  readonly clock: Clock;
  readonly log: Log;
}

/** As the platform's desired configuration, or a technician's, who gives no version. */
interface Desired extends ManagedConfig {
  readonly version: number | null;
  readonly id: string;
  readonly issuer: string;
}

type Phase = 'rest' | 'staged' | 'deferred' | 'trying' | 'returning';

/** SHA-256 of the RFC 8785 form, hex. */
export function configDigest(config: unknown): string {
  return createHash('sha256').update(canonicalJson(config)).digest('hex');
}

/**
 * The gate's configuration while it runs: takes new ones in, checks them as files are checked, has the gate restarted with
 * them when nothing moves, and watches whether the gate is as well with them as without. One that does not prove itself
 * within the trial is given back by itself; one that ends the process is given back by the next start.
 */
export class Configuration implements ConfigurationPort {
  readonly #options: ConfigurationOptions;
  readonly #listeners = new Set<() => void>();
  readonly #onTrial: boolean;
  readonly #effectiveDigest: string;
  readonly #reported: JsonObject;
  #host: ConfigurationHost | undefined;
  #phase: Phase = 'rest';
  #timer: Timer | undefined;
  /** Changes wait until the gate is up. */
  #begin: () => void = () => undefined;
  #work: Promise<unknown> = new Promise<void>((resolve) => (this.#begin = resolve));
  /** Came while another was on trial; looked at after it. */
  #next: Desired | undefined;
  /** Why the one on trial returns, where the disk did not take that yet. */
  #failed: { readonly code: string; readonly reasons: readonly string[] } | undefined;
  #unreadable = { sinceMs: 0, count: 0 };

  constructor(options: ConfigurationOptions) {
    this.#options = options;
    const { plain, onTrial } = options.effective;
    this.#onTrial = onTrial;
    this.#effectiveDigest = configDigest(toJsonObject(plain));
    const shown = redact({ ...plain, access: { ...plain.access, households: undefined, visitors: undefined, blocked: undefined, emergency: undefined } });
    this.#reported = typeof shown === 'object' && shown !== null && !Array.isArray(shown) ? toJsonObject(shown) : {};
  }

  /** The gate is up: what happened before the start goes on record, and a trial begins. */
  async start(host: ConfigurationHost): Promise<void> {
    this.#host = host;
    // A trial that could not be counted at the start (a full disk) waits for the next one: no restart would help.
    if (this.#onTrial) this.#try(this.#inForce.uplink.configurationTrialS * 1_000);
    this.#begin();
    await this.#serial(() => this.#recordOutcomes());
  }

  /** @param ordered nothing failed: a trial goes on with the next start; otherwise that gives the configuration back */
  async stop(ordered: boolean): Promise<void> {
    this.#timer?.cancel();
    this.#host = undefined;
    this.#begin();
    if (!ordered || !this.#onTrial) return;
    const { effective, clock } = this.#options;
    const failed = this.#failed;
    await this.#serial(() => (failed === undefined ? effective.store.countStop() : effective.store.giveBack(failed.code, failed.reasons, clock.wallMs())));
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  report(): ConfigurationState {
    const { managed, store } = this.#options.effective;
    const { trial, outcomes, highest } = store.state;
    const phase = this.#phase === 'rest' ? 'staged' : this.#phase;
    const last = outcomes.at(-1);
    return {
      active: { source: managed === null ? 'file' : 'managed', version: managed?.version ?? null, id: managed?.id ?? null, digest: managed?.digest ?? null, effectiveDigest: this.#effectiveDigest },
      trial: trial === null && this.#phase !== 'returning' ? null : { version: trial?.version ?? managed?.version ?? null, id: trial?.id ?? managed?.id ?? '', state: phase },
      highest: Math.max(highest, ...outcomes.map((outcome) => outcome.version ?? 0)),
      outcome: last === undefined ? null : reportOf(last),
      reported: this.#reported,
    };
  }

  unreadable(about: JsonObject): void {
    const { clock, log } = this.#options;
    const nowMs = clock.monoMs();
    if (nowMs - this.#unreadable.sinceMs > 60_000) this.#unreadable = { sinceMs: nowMs, count: 0 };
    this.#unreadable.count += 1;
    if (this.#unreadable.count > mostUnreadableAMinute) return;
    this.#host?.append({ type: 'config.refused', payload: about }).catch((error: unknown) => log.error({ error: errorText(error) }, 'a refused configuration could not be put on record'));
  }

  propose(desired: Desired): Promise<ConfigReport['outcome']> {
    return this.#serial(() => this.#propose(desired));
  }

  /**
   * The same for a technician on the box, who may change everything but what the file alone sets. Resolves once it is
   * staged. Rejects with `CONFIG_BUSY`, or `CONFIG_INVALID` and every fault.
   */
  async applyHere(content: ManagedConfig, issuer: string): Promise<JsonObject> {
    const digest = configDigest(content.config);
    const outcome = await this.#serial(() => this.#propose({ version: null, id: `console-${content.whole ? 'whole-' : ''}${digest.slice(0, 12)}`, issuer, ...content }));
    if (outcome?.outcome === 'refused') {
      const faults = outcome.faults.map(({ path, text }) => `${path === '' ? 'the whole' : path}: ${text}`);
      const code = outcome.code === 'CONFIG_BUSY' || outcome.code === 'SECRET_UNREADABLE' || outcome.code === 'CONFIG_NOT_ALLOWED' ? outcome.code : 'CONFIG_INVALID';
      throw new GateError(code, [...outcome.reasons, ...faults].join('\n'), { faults: outcome.faults });
    }
    return this.state();
  }

  /** Goes back: ends a trial, else puts what was in force before on trial. Rejects with `CONFIG_BUSY` where neither is possible. */
  async returnHere(issuer: string): Promise<JsonObject> {
    const { store, managed } = this.#options.effective;
    if (this.#phase === 'trying') {
      await this.#serial(() => this.#fail('COMMAND_REFUSED', [`returned by ${issuer}`]));
      return this.state();
    }
    if (managed === null || this.#phase !== 'rest') throw new GateError('CONFIG_BUSY', managed === null ? "the technician's file alone is in force; there is nothing to go back to" : 'another change is under way; look at gatectl config show', {});
    const { previous } = store.state;
    return this.applyHere(previous === null ? { whole: false, config: {} } : await store.read(previous), issuer);
  }

  /** For the command line: as reported, with `file`, `outcomes` (newest last) and `changes`, the values that are not the file's. */
  state(): JsonObject {
    const { store, path, baseText, plain } = this.#options.effective;
    return toJsonObject({ ...this.report(), file: path, outcomes: store.state.outcomes, changes: changesOver(baseText, plain) });
  }

  /** Its rights and its trial are the technician's: no managed configuration can set them. */
  get #inForce(): GateConfig {
    return this.#options.effective.plain;
  }

  /** One change at a time. */
  #serial<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#work.then(run, run);
    this.#work = done.catch(() => undefined);
    return done;
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  async #propose(desired: Desired): Promise<ConfigReport['outcome']> {
    const { effective, clock, log } = this.#options;
    const { store } = effective;
    const digest = configDigest(desired.config);
    const ref: ManagedRef = { version: desired.version, id: desired.id, issuer: desired.issuer, whole: desired.whole, digest };
    const { trial } = store.state;
    const refusal = (code: string, reason: string): ConfigReport['outcome'] => {
      log.warn({ version: desired.version, id: desired.id, code, reason }, 'configuration refused');
      return { version: desired.version, id: desired.id, issuer: desired.issuer, outcome: 'refused', code, reasons: [reason], faults: [], atMs: Math.round(clock.wallMs()) };
    };
    if (desired.version !== null) {
      const known = store.state.outcomes.findLast((outcome) => outcome.version === desired.version);
      if (known !== undefined && isSameConfiguration(known, ref)) return reportOf(known);
      if (trial?.version === desired.version && isSameConfiguration(trial, ref)) return null;
      if (known !== undefined || trial?.version === desired.version) return refusal('CONFIG_CONFLICT', `version ${desired.version} came before with another content; a change needs a new version`);
      if (desired.version <= store.state.highest) return refusal('CONFIG_OUTDATED', `version ${store.state.highest} was here already; send a higher one`);
    }
    // A technician's settings have no number to tell them by; what waits already is not put off by itself.
    if (desired.version === null && trial?.version === null && isSameConfiguration(trial, ref) && (this.#phase === 'staged' || this.#phase === 'deferred')) return null;
    if (this.#phase === 'trying' || this.#phase === 'returning') {
      if (desired.version !== null) this.#next = desired;
      return refusal('CONFIG_BUSY', 'another configuration is on trial; this one is looked at when that is applied, else send it again');
    }
    const { config, faults } = checkManaged(effective.baseText, { whole: desired.whole, config: desired.config }, desired.version === null ? 'all' : this.#inForce.uplink.remoteConfiguration);
    if (config === undefined) return this.#refuse(ref, faults[0]?.code ?? 'CONFIG_INVALID', [], faults);
    try {
      await readSecrets(resolvePaths(config, dirname(resolve(effective.path))));
    } catch (error) {
      return this.#refuse(ref, isGateError(error) ? error.code : 'SECRET_UNREADABLE', [errorText(error)], []);
    }
    const parts = this.#host?.parts() ?? new Map<string, boolean>();
    await store.stage(ref, { whole: desired.whole, config: desired.config }, { known: [...parts.keys()], well: [...parts].flatMap(([name, well]) => (well ? [name] : [])) }, clock.wallMs());
    await this.#recordOutcomes();
    await this.#append({ type: 'config.staged', payload: { ...ref } });
    log.info({ version: ref.version, id: ref.id }, 'a new configuration is staged; it is tried when the lanes are quiet');
    this.#waitForQuiet();
    return null;
  }

  async #refuse(ref: ManagedRef, code: string, reasons: readonly string[], faults: readonly RemoteFault[]): Promise<ConfigReport['outcome']> {
    const { effective, clock, log } = this.#options;
    log.warn({ version: ref.version, id: ref.id, code, reasons, faults: faults.length }, 'configuration refused');
    const outcome = await effective.store.refuse(ref, code, reasons, [...faults], clock.wallMs());
    await this.#recordOutcomes();
    return reportOf(outcome);
  }

  /** Restarts the gate as soon as every lane has been quiet for a while. */
  #waitForQuiet(): void {
    const { clock } = this.#options;
    const sinceMs = clock.monoMs();
    this.#phase = 'staged';
    this.#whenQuiet(null, (waitedMs) => {
      if (this.#phase !== 'staged' || waitedMs < deferredAfterMs) return;
      this.#phase = 'deferred';
      this.#options.log.warn({ waitedS: Math.round((clock.monoMs() - sinceMs) / 1_000), lanes: this.#host?.busyLanes() }, 'the lanes are not quiet; the new configuration waits on');
      this.#changed();
    });
    this.#changed();
  }

  #whenQuiet(limitMs: number | null, waiting: (waitedMs: number) => void): void {
    const { clock } = this.#options;
    const sinceMs = clock.monoMs();
    let busyMs = sinceMs;
    const look = (): void => {
      const host = this.#host;
      if (host === undefined) return;
      const nowMs = clock.monoMs();
      if (host.busyLanes().length > 0) busyMs = nowMs;
      if (nowMs - busyMs >= quietForMs || (limitMs !== null && nowMs - sinceMs >= limitMs)) {
        host.restart(this.#phase === 'returning' ? 'configuration returned' : 'new configuration');
        return;
      }
      waiting(nowMs - sinceMs);
      this.#timer = clock.after(lookMs, look);
    };
    this.#timer?.cancel();
    this.#timer = clock.after(lookMs, look);
  }

  /** Watches the gate through the trial: at its end everything must have been well for its last third. */
  #try(windowMs: number): void {
    const { clock, log, effective } = this.#options;
    const { trial } = effective.store.state;
    const known = new Set(trial?.known);
    const well = new Set(trial?.well);
    const beganMs = clock.monoMs();
    let troubleMs = beganMs;
    let troubles: readonly string[] = [];
    let journalMs = beganMs;
    this.#phase = 'trying';
    log.info({ version: trial?.version, id: trial?.id, windowMs }, 'the configuration is on trial');
    const look = (): void => {
      const host = this.#host;
      if (host === undefined) return;
      const nowMs = clock.monoMs();
      host.journalAnswers().then(
        () => (journalMs = clock.monoMs()),
        () => undefined,
      );
      const unwell = [...host.parts()].flatMap(([name, isWell]) => (!isWell && (well.has(name) || !known.has(name)) ? [`${name} is not well`] : []));
      if (nowMs - journalMs > journalLimitMs) unwell.push('the journal does not answer');
      if (unwell.length > 0) [troubleMs, troubles] = [nowMs, unwell];
      if (nowMs - beganMs < windowMs) {
        this.#timer = clock.after(lookMs, look);
        return;
      }
      const healthy = nowMs - troubleMs >= windowMs / 3;
      this.#serial(() => (healthy ? this.#pass() : this.#fail('CONFIG_UNHEALTHY', troubles))).catch((error: unknown) => {
        log.error({ healthy, error: errorText(error) }, 'how the trial of the configuration ended could not be stored');
        // The stop tries once more, and without the mark on disk the next start gives it back; one that is well is kept until then.
        if (healthy) return;
        this.#failed = { code: 'CONFIG_UNHEALTHY', reasons: troubles };
        this.#return();
      });
    };
    this.#timer = clock.after(lookMs, look);
    this.#changed();
  }

  async #pass(): Promise<void> {
    const { effective, clock, log } = this.#options;
    await effective.store.apply(clock.wallMs());
    this.#phase = 'rest';
    log.info({ version: effective.managed?.version, id: effective.managed?.id }, 'the configuration is applied');
    await this.#recordOutcomes();
    this.#changed();
    const next = this.#next;
    this.#next = undefined;
    if (next === undefined) return;
    await this.#propose(next);
    this.#changed();
  }

  async #fail(code: string, reasons: readonly string[]): Promise<void> {
    const { effective, clock, log } = this.#options;
    if (this.#phase !== 'trying') return;
    await effective.store.giveBack(code, reasons, clock.wallMs());
    log.error({ version: effective.managed?.version, reasons }, 'the configuration did not prove itself; the one before returns');
    this.#return();
    await this.#recordOutcomes();
    this.#changed();
  }

  #return(): void {
    this.#phase = 'returning';
    this.#whenQuiet(returnAtMostMs, () => undefined);
  }

  /** Every outcome becomes one event; which one was the last is stored in the same order, so that none is told twice. */
  async #recordOutcomes(): Promise<void> {
    const host = this.#host;
    if (host === undefined) return;
    try {
      const stored = (await host.recall(recordedKey))?.['number'];
      const recorded = typeof stored === 'number' ? stored : 0;
      for (const outcome of this.#options.effective.store.state.outcomes) {
        if (outcome.number <= recorded) continue;
        const { number, outcome: how, faults, ...rest } = outcome;
        await Promise.all([host.append({ type: `config.${how}`, payload: toJsonObject({ ...rest, faults: faults.slice(0, mostFaultsOnRecord), faultCount: faults.length }) }), host.remember(recordedKey, { number })]);
      }
    } catch (error) {
      this.#options.log.error({ error: errorText(error) }, 'what became of a configuration could not be put on record; the next start tries again');
    }
  }

  async #append(event: NewEvent): Promise<void> {
    try {
      await this.#host?.append(event);
    } catch (error) {
      this.#options.log.error({ event: event.type, error: errorText(error) }, 'an event could not be stored');
    }
  }
}

function reportOf({ version, id, issuer, outcome, code, reasons, faults, atMs }: ManagedOutcome): NonNullable<ConfigReport['outcome']> {
  return { version, id, issuer, outcome, code, reasons, faults, atMs };
}
