import { basename, dirname, resolve } from 'node:path';
import { GateError, errorText, isGateError, type Log } from '../base/index.js';
import { readConfig } from './check.js';
import { formatFaults } from './faults.js';
import { readConfigText } from './load.js';
import { checkManaged } from './managed.js';
import { MOST_STARTS, ManagedStore, type ManagedRef } from './managed-store.js';
import { resolvePaths } from './paths.js';
import type { GateConfig } from './schema.js';

/** The configuration in force and where it comes from. */
export interface EffectiveConfig {
  /** With paths resolved. */
  readonly config: GateConfig;
  /** As checked, paths as they stand in the file. */
  readonly plain: GateConfig;
  readonly path: string;
  /** The technician's file. */
  readonly baseText: string;
  readonly store: ManagedStore;
  /** What is laid over the file, or stands in its place; null for the file alone. */
  readonly managed: ManagedRef | null;
  /** It is on trial, and this start counts towards that. */
  readonly onTrial: boolean;
}

interface Base {
  readonly text: string;
  readonly config: GateConfig;
  readonly folder: string;
}

async function readBase(path: string): Promise<Base> {
  const text = await readConfigText(path);
  const { config, faults } = readConfig(text);
  if (config === undefined) throw new GateError('CONFIG_INVALID', formatFaults(faults, basename(path)), { path, faults });
  return { text, config, folder: dirname(resolve(path)) };
}

/** What a managed configuration gives with this file. Rejects with `CONFIG_UNREADABLE`, `CONFIG_INVALID`. */
async function together(base: Base, store: ManagedStore, ref: ManagedRef): Promise<GateConfig> {
  // Rights were checked when it came, and may have been narrowed since; what the technician laid down in his file counts.
  const { config, faults } = checkManaged(base.text, await store.read(ref), ref.version === null ? 'all' : base.config.uplink.remoteConfiguration);
  if (config === undefined) throw new GateError('CONFIG_INVALID', faults.map(({ path, text }) => `${path}: ${text}`).join('; '));
  return config;
}

function effective(base: Base, store: ManagedStore, path: string, plain: GateConfig, managed: ManagedRef | null, onTrial = false): EffectiveConfig {
  return { config: resolvePaths(plain, base.folder), plain, path, baseText: base.text, store, managed, onTrial };
}

/**
 * The configuration of the gate that runs, or ran last, for whoever stands beside it: the technician's file with what is
 * in force over it. Changes nothing; where the managed part cannot be used the file alone counts, as at the gate's start.
 * @throws GateError CONFIG_UNREADABLE, CONFIG_INVALID of the technician's file
 */
export async function loadEffective(path: string): Promise<EffectiveConfig> {
  const base = await readBase(path);
  const store = new ManagedStore(resolvePaths(base.config, base.folder).gate.dataDirectory);
  await store.load();
  const { running } = store;
  const plain = running === null ? base.config : await together(base, store, running).catch(() => undefined);
  return effective(base, store, path, plain ?? base.config, plain === undefined ? null : running);
}

/**
 * The same for the daemon at its start, with what a start decides: a configuration on trial whose last run did not end in
 * order is given back; one that stands is counted, on disk, before anything runs with it; what cannot be used any more is
 * dropped. A gate starts with the technician's file whatever came from outside; what keeps a decision from the disk is logged.
 * @param wallMs for the record
 * @throws GateError CONFIG_UNREADABLE, CONFIG_INVALID of the technician's file
 */
export async function beginEffective(path: string, wallMs: number, log: Log): Promise<EffectiveConfig> {
  const base = await readBase(path);
  const store = new ManagedStore(resolvePaths(base.config, base.folder).gate.dataDirectory);
  try {
    await decideAtStart(store, wallMs);
    const { trial } = store.state;
    if (trial !== null) {
      const plain = await together(base, store, trial).catch((error: unknown) => refuseAtStart(store, error, wallMs));
      if (plain !== undefined) {
        await store.countStart();
        return effective(base, store, path, plain, trial, true);
      }
    }
  } catch (error) {
    // A disk that cannot be written: no trial is begun that could not be ended.
    const { trial } = store.state;
    log.error({ version: trial?.version ?? null, id: trial?.id ?? null, error: errorText(error) }, 'what the start decides about the managed configuration could not be stored; nothing is tried, what was in force before counts until the next start. Look at the disk (df -h, dmesg)');
  }
  const { active } = store.state;
  if (active === null) return effective(base, store, path, base.config, null);
  try {
    return effective(base, store, path, await together(base, store, active), active);
  } catch (error) {
    const why = `it does not go together with ${basename(path)} any more: ${errorText(error)}`;
    log.error({ version: active.version, id: active.id, code: codeOf(error), error: errorText(error) }, `the managed configuration is not used, ${basename(path)} alone counts: ${why}`);
    await store.drop(codeOf(error), [why], wallMs).catch((failure: unknown) => {
      log.error({ version: active.version, id: active.id, error: errorText(failure) }, 'that the managed configuration was dropped could not be stored; the next start looks at it again. Look at the disk (df -h, dmesg)');
    });
    return effective(base, store, path, base.config, null);
  }
}

async function decideAtStart(store: ManagedStore, wallMs: number): Promise<void> {
  const damage = await store.load();
  if (damage !== undefined) await store.setAside(wallMs, damage);
  const { trial } = store.state;
  if (trial === null) return;
  if (trial.starts > trial.stops) {
    await store.giveBack('CONFIG_CRASHED', ['the gate ended without an ordered stop (crash, watchdog, power cut) while it was on trial'], wallMs);
  } else if (trial.starts >= MOST_STARTS) {
    await store.giveBack('CONFIG_CRASHED', [`its trial was begun ${trial.starts} times and never came to its end`], wallMs);
  }
}

async function refuseAtStart(store: ManagedStore, error: unknown, wallMs: number): Promise<undefined> {
  await store.giveBack(codeOf(error), [errorText(error)], wallMs);
}

function codeOf(error: unknown): string {
  return isGateError(error) ? error.code : 'CONFIG_INVALID';
}
