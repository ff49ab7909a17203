import { laneSettings, type CommandTarget, type LaneSettings, type LaneSettingsSource, type LaneTimings, type SensorName } from '../../src/lane/index.js';

/** The step of time of an exploration, ms: every timer of its lanes is a multiple, so that nothing happens in between. */
export const unitMs = 500;

/** Timers as short as they can be without two of them falling together by accident. */
const timings: LaneTimings = {
  recordWaitMs: unitMs,
  gapMs: 2 * unitMs,
  settleMs: unitMs,
  stalledMs: 4 * unitMs,
  presenceLimitMs: 3 * unitMs,
  warmTrackMs: unitMs,
  warmDecisionMs: 2 * unitMs,
  samePlateQuietMs: 2 * unitMs,
  decisionWaitMs: 2 * unitMs,
  retryMs: unitMs,
  newEdgeMs: unitMs,
  slowRun: 1.5,
  soonestDown: 1,
  inputsReadMs: 2 * unitMs,
};

interface Site {
  readonly sensors?: readonly SensorName[];
  readonly barrier?: Partial<LaneSettingsSource['barrier']>;
}

function lane({ sensors = [], barrier = {} }: Site): LaneSettings {
  const inputs: Partial<Record<SensorName, unknown>> = { approach: {}, closing: {} };
  for (const sensor of sensors) inputs[sensor] = {};
  return laneSettings(
    {
      id: 'lane',
      name: 'lane',
      direction: 'entry',
      barrier: {
        closing: 'gateway-closes',
        ...(barrier.drive === 'hold-to-open' || barrier.closing === 'barrier-closes' ? {} : { close: {} }),
        learnRunTimes: false,
        pulseMs: unitMs,
        deadTimeMs: unitMs,
        openTimeMs: 2 * unitMs,
        closeTimeMs: 2 * unitMs,
        runWatchdogMs: 2 * unitMs,
        closeDelayMs: unitMs,
        autoCloseMs: 2 * unitMs,
        ...barrier,
      },
      inputs,
      readTimeoutMs: unitMs,
      earlyDecision: false,
    },
    timings,
  );
}

const failOpen = { powerUp: 'open', softwareDeath: 'open', inputsLost: 'open', relayLost: 'open' } as const;

/** A lane to explore and what comes to it from outside. */
export interface SmallLane {
  readonly settings: LaneSettings;
  readonly targets: readonly CommandTarget[];
  readonly vehicles: number;
  /** An operator may hold movements. */
  readonly operator: boolean;
  readonly outputFaults: number;
}

const small = (settings: LaneSettings, more: Partial<SmallLane> = {}): SmallLane => ({ settings, targets: [], vehicles: 1, operator: false, outputFaults: 0, ...more });

/** Lanes that are explored, each small enough to be seen whole; together they have every guard, contact, fault and fail state. */
export const sites: Readonly<Record<string, SmallLane>> = {
  'two loops': small(lane({})),
  'two loops, output faults': small(lane({}), { outputFaults: 1 }),
  'two loops, two vehicles': small(lane({}), { vehicles: 2 }),
  commands: small(lane({}), { targets: ['open', 'close', 'stop'] }),
  'hold and release': small(lane({}), { targets: ['hold', 'release'] }),
  'held by an operator': small(lane({}), { operator: true }),
  'held by an operator, STOP contact': small(lane({ barrier: { stop: {} } }), { operator: true }),
  'held by an operator, STOP command': small(lane({}), { operator: true, targets: ['stop'] }),
  STOP: small(lane({ sensors: ['stop'] })),
  'STOP with its contact': small(lane({ sensors: ['stop'], barrier: { stop: {} } })),
  fire: small(lane({ sensors: ['fire'] })),
  'limit switches': small(lane({ sensors: ['openLimit', 'closedLimit'] })),
  beam: small(lane({ sensors: ['beam'] })),
  'barrier closes': small(lane({ sensors: ['fire'], barrier: { closing: 'barrier-closes' } })),
  'hold to open': small(lane({ barrier: { drive: 'hold-to-open' } }), { outputFaults: 1 }),
  'hold to open, STOP': small(lane({ sensors: ['stop'], barrier: { drive: 'hold-to-open' } })),
  'hold to open, STOP with its contact': small(lane({ barrier: { drive: 'hold-to-open', stop: {} } }), { targets: ['open', 'close', 'stop'] }),
  'hold to open, STOP in a fire': small(lane({ sensors: ['stop', 'fire'], barrier: { drive: 'hold-to-open', stop: {} } })),
  'hold to open, a rise that fails in a fire': small(lane({ sensors: ['closedLimit', 'fire'], barrier: { drive: 'hold-to-open' } })),
  'hold to open, fails open': small(lane({ barrier: { drive: 'hold-to-open', failState: failOpen } }), { outputFaults: 1 }),
  'fails open': small(lane({ barrier: { failState: failOpen } })),
  'any loop holds': small(lane({ barrier: { antiTailgate: 1 } })),
  'timer from open': small(lane({ barrier: { antiTailgate: 2 } })),
  'closes behind': small(lane({ barrier: { antiTailgate: 3 } })),
  'stops for a second vehicle, lamps': small(lane({ barrier: { antiTailgate: 4, stop: {}, greenLight: {}, redLight: {} } })),
};
