import type { Clock, Log } from '../base/index.js';
import type { DeviceConfig, GateConfig, LaneConfig } from '../config/index.js';
import { createDevice, type Device, type DigitalInput, type DigitalOutput } from '../device/index.js';
import type { OutputName, RelayWatch, SensorName } from '../lane/index.js';
import { SimDevice, World, simLaneSpec } from '../sim/index.js';
import { Executor, type Act } from '../supervisor/index.js';
import { configuredWill, holdsOpen, realLanes, wardOf } from './guard.js';

type SimConfig = Extract<DeviceConfig, { driver: 'sim' }>;

/** Every concrete driver of a configuration; the only place that knows which there are. */
export interface Drivers {
  readonly devices: ReadonlyMap<string, Device>;
  /** The world behind a simulated device, where the configuration names one. */
  readonly world?: { readonly world: World; readonly config: SimConfig };
}

/** The lines of one lane, claimed on their devices. */
export interface LaneWiring {
  readonly inputs: Partial<Record<SensorName, DigitalInput>>;
  readonly outputs: Partial<Record<OutputName, DigitalOutput>>;
}

const sensorNames: readonly SensorName[] = ['approach', 'closing', 'beam', 'openLimit', 'closedLimit', 'fire', 'stop', 'button'];
const contactNames = ['open', 'close', 'stop'] as const;
const outputNames: readonly OutputName[] = [...contactNames, 'greenLight', 'redLight'];

/** A simulated world with the lanes of a configuration that are wired to it. */
function createWorld(device: SimConfig, lanes: readonly LaneConfig[]): World {
  return new World({ seed: device.seed, lanes: lanes.filter((lane) => lane.inputs.approach.device === device.id).map(simLaneSpec) });
}

/**
 * Makes the drivers of a configuration, none started.
 * @throws GateError `DEVICE_LINE_INVALID`
 */
export function createDrivers(config: GateConfig, clock: Clock, log: Log): Drivers {
  const devices = new Map<string, Device>();
  let simulated: Drivers['world'];
  for (const entry of config.devices) {
    if (entry.driver === 'sim') {
      const world = createWorld(entry, config.lanes);
      simulated = { world, config: entry };
      devices.set(entry.id, new SimDevice({ id: entry.id, world, clock }));
    } else {
      devices.set(entry.id, createDevice(entry, clock, log));
    }
  }
  return simulated === undefined ? { devices } : { devices, world: simulated };
}

/**
 * Claims every line a lane names; before the devices start.
 * @throws GateError `DEVICE_LINE_INVALID`
 */
export function wireLane(lane: LaneConfig, devices: ReadonlyMap<string, Device>): LaneWiring {
  const inputs: Partial<Record<SensorName, DigitalInput>> = {};
  const outputs: Partial<Record<OutputName, DigitalOutput>> = {};
  for (const name of sensorNames) {
    const ref = lane.inputs[name];
    const device = ref === undefined ? undefined : devices.get(ref.device);
    if (ref !== undefined && device !== undefined) inputs[name] = device.input(ref);
  }
  for (const name of outputNames) {
    const ref = lane.barrier[name];
    const device = ref === undefined ? undefined : devices.get(ref.device);
    if (ref !== undefined && device !== undefined) outputs[name] = device.output(ref);
  }
  if (holdsOpen(lane)) outputs.open?.preserve?.();
  return { inputs, outputs };
}

/** Whether the boards behind a lane's contacts answer, by what their lines say and whenever the health of a device changes. */
export function watchRelays(wiring: LaneWiring, devices: ReadonlyMap<string, Device>): RelayWatch {
  const contacts = contactNames.flatMap((name) => wiring.outputs[name] ?? []);
  const own = [...devices.values()].filter((device) => contacts.some(({ ref }) => ref.device === device.id));
  return {
    available: () => contacts.every((contact) => contact.state() !== 'unknown'),
    detail: () => own.flatMap((device) => device.health().detail ?? []).join(' '),
    onChange: (listener) => {
      const ends = own.map((device) => device.onHealth(listener));
      return () => {
        for (const end of ends) end();
      };
    },
  };
}

/** Longest the safe state is tried for where hardware does not answer. */
const safeStateMs = 8_000;

/**
 * The safe state from outside of a running gate: what the configuration says of this program's death, for every lane. For
 * the service manager after a crash or SIGKILL where no supervisor is, so it needs neither journal nor network nor
 * recognition (S3). A contact whose release would lower a boom stays energised.
 */
export async function putSafe(config: GateConfig, clock: Clock, log: Log): Promise<readonly Act[]> {
  const devices = config.devices.flatMap((entry) => (entry.driver === 'sim' ? [] : [createDevice(entry, clock, log)]));
  const estates = realLanes(config).map((lane) => ({ ...wardOf(lane), will: configuredWill(lane), closeOffMs: null }));
  const executor = new Executor(devices, estates, clock, log);
  await executor.run(safeStateMs);
  const { acts } = executor;
  await executor.letGo();
  return acts;
}
