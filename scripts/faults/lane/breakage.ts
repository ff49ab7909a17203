import type { ManualClock } from '../../../src/base/index.js';
import type { CommandTarget, LaneSettings, SensorName } from '../../../src/lane/index.js';
import type { DetectorFault, SimDevice, SimLane } from '../../../src/sim/index.js';
import type { PlannedFault, PlannedLane } from './plan.js';
import type { Recogniser } from './recogniser.js';

/** What the gateway's neighbours do at the moment. */
export interface Neighbours {
  journalDelayMs: number;
  journalFails: boolean;
  decisionDelayMs: number;
  decisionFails: boolean;
}

/** What a fault can lay hands on. */
export interface Stage {
  readonly plan: PlannedLane;
  readonly settings: LaneSettings;
  readonly lane: SimLane;
  readonly device: SimDevice;
  readonly clock: ManualClock;
  readonly recogniser: Recogniser;
  readonly neighbours: Neighbours;
  readonly nowMs: number;
  /** Runs something at a later time of the world; a world is not over before. */
  later(delayMs: number, run: () => void): void;
  command(target: CommandTarget, times?: number): void;
  press(name: 'fire' | 'stop' | 'button', pressed: boolean): void;
  vision(available: boolean): void;
  stall(forMs: number): void;
  restart(): void;
  /** Kills the gateway; a supervisor acts after `supervisedMs`, and the next gateway starts `bootMs` later. */
  crash(supervisedMs: number, bootMs: number): void;
}

const dayMs = 86_400_000;
/** A driver polls its bus, and re-reads levels whose edge interrupts it may have missed, within this. */
const longestRefreshMs = 250;
const longestStallMs = 2_000;
const stopLongestMs = 4_000;

function pick<Item>(items: readonly Item[], which: number): Item | undefined {
  return items[Math.min(items.length - 1, Math.floor(which * items.length))];
}

function line(part: string): string {
  return `lane.${part}`;
}

function between(least: number, most: number, strength: number): number {
  return Math.round(least + (most - least) * strength);
}

/** Makes a line of the lane lie for a while; false where it is not wired. */
function lie(stage: Stage, fault: PlannedFault, kind: DetectorFault, sensors: readonly SensorName[]): boolean {
  const sensor = pick(
    sensors.filter((name) => stage.settings.sensors.includes(name)),
    fault.which,
  );
  if (sensor === undefined) return false;
  stage.device.inject({ kind, line: line(sensor) });
  stage.later(fault.forMs, () => stage.device.repair(line(sensor)));
  return true;
}

function failOutput(stage: Stage, fault: PlannedFault, kind: 'output-fails' | 'output-dead' | 'welded'): boolean {
  const output = pick(stage.settings.outputs, fault.which);
  if (output === undefined) return false;
  const name = line(output === 'stop' ? 'stopRelay' : output);
  stage.device.inject({ kind, line: name });
  stage.later(fault.forMs, () => stage.device.repair(name));
  return true;
}

/** A motor that does not do what it is built for: without a switch that would tell, no gateway can know. */
function failMotor(stage: Stage, fault: PlannedFault, fail: () => void): true {
  const { lane, plan } = stage;
  if (!plan.openLimit || !plan.closedLimit) lane.setHardwareFailing('motor', true, stage.nowMs);
  fail();
  stage.later(fault.forMs, () => {
    lane.boom.jammed = false;
    lane.boom.slowness = plan.motor;
    lane.setHardwareFailing('motor', false, stage.nowMs);
  });
  return true;
}

function flickerPress(stage: Stage, fault: PlannedFault, name: 'fire' | 'stop' | 'button'): boolean {
  return lie(stage, fault, 'flicker', [name]);
}

const loops: readonly SensorName[] = ['closing', 'approach'];
const limitSwitches: readonly SensorName[] = ['openLimit', 'closedLimit'];

/**
 * Lets a planned fault happen, and sees to it that it ends.
 * @returns false where this lane has nothing that could fail so
 */
export function breakLane(stage: Stage, fault: PlannedFault): boolean {
  const { device, lane, neighbours } = stage;
  const { forMs, strength } = fault;
  const forOtherwise = fault.strength < 0.5;
  switch (fault.kind) {
    case 'loop-stuck-on':
      return lie(stage, fault, 'stuck-on', loops);
    case 'loop-stuck-off':
      return lie(stage, fault, 'stuck-off', loops);
    case 'loop-flicker':
      return lie(stage, fault, 'flicker', loops);
    case 'loop-fault':
      return lie(stage, fault, 'fault', loops);
    case 'loop-unknown':
      return lie(stage, fault, 'unknown', loops);
    case 'loop-drift': {
      const loop = fault.which < 0.5 ? 'approach' : 'closing';
      // A hot day over cold ground, far faster than any weather.
      const steps = 10;
      for (let at = 1; at <= steps; at += 1) stage.later((forMs * at) / steps, () => lane.driftLoop(loop, ((strength - 0.5) * 0.06 * at) / steps));
      return true;
    }
    case 'beam-stuck-on':
      return lie(stage, fault, 'stuck-on', ['beam']);
    case 'beam-stuck-off':
      return lie(stage, fault, 'stuck-off', ['beam']);
    case 'beam-flicker':
      return lie(stage, fault, 'flicker', ['beam']);
    case 'beam-fault':
      return lie(stage, fault, forOtherwise ? 'fault' : 'unknown', ['beam']);
    case 'limit-stuck-on':
      return lie(stage, fault, 'stuck-on', limitSwitches);
    case 'limit-stuck-off':
      return lie(stage, fault, 'stuck-off', limitSwitches);
    case 'limit-flicker':
      return lie(stage, fault, 'flicker', limitSwitches);
    case 'limit-lost':
      return lie(stage, fault, forOtherwise ? 'fault' : 'unknown', limitSwitches);
    case 'limits-both-on':
      if (!limitSwitches.every((name) => stage.settings.sensors.includes(name))) return false;
      return lie(stage, fault, 'stuck-on', ['openLimit']) && lie(stage, fault, 'stuck-on', ['closedLimit']);
    case 'button-stuck':
      return lie(stage, fault, 'stuck-on', ['button']);
    case 'button-flicker':
      return flickerPress(stage, fault, 'button');
    case 'stop-stuck':
      return lie(stage, fault, 'stuck-on', ['stop']);
    case 'stop-flicker':
      return flickerPress(stage, fault, 'stop');
    case 'fire-flicker':
      return flickerPress(stage, fault, 'fire');
    case 'input-late':
      device.inject({ kind: 'late', lateMs: between(50, 350, strength) });
      stage.later(forMs, () => device.inject({ kind: 'late', lateMs: 0 }));
      return true;
    case 'edges-lost': {
      const sensor = pick(stage.settings.sensors, fault.which);
      if (sensor === undefined) return false;
      device.inject({ kind: 'edges-lost', line: line(sensor), refreshMs: between(20, longestRefreshMs, strength) });
      stage.later(forMs, () => device.repair(line(sensor)));
      return true;
    }
    case 'device-lost':
      device.inject({ kind: 'lost' });
      stage.later(forMs, () => device.reconnect('lost'));
      return true;
    case 'relay-lost':
      device.inject({ kind: 'relay-lost' });
      stage.later(forMs, () => device.reconnect('relay-lost'));
      return true;
    case 'output-fails':
      return failOutput(stage, fault, 'output-fails');
    case 'output-dead':
      return failOutput(stage, fault, 'output-dead');
    case 'relay-welded':
      return failOutput(stage, fault, 'welded');
    case 'boom-jammed':
      return failMotor(stage, fault, () => (lane.boom.jammed = true));
    case 'motor-slow':
      return failMotor(stage, fault, () => (lane.boom.slowness = 1.3 + strength));
    case 'journal-slow':
      neighbours.journalDelayMs = between(20, 900, strength);
      stage.later(forMs, () => (neighbours.journalDelayMs = 0));
      return true;
    case 'journal-fails':
      neighbours.journalFails = true;
      stage.later(forMs, () => (neighbours.journalFails = false));
      return true;
    case 'decision-late':
      neighbours.decisionDelayMs = between(50, 2_500, strength);
      stage.later(forMs, () => (neighbours.decisionDelayMs = 0));
      return true;
    case 'decision-fails':
      neighbours.decisionFails = true;
      stage.later(forMs, () => (neighbours.decisionFails = false));
      return true;
    case 'vision-down':
      stage.vision(false);
      stage.later(forMs, () => stage.vision(true));
      return true;
    case 'misread':
      stage.recogniser.misreadNext();
      return true;
    case 'restart':
      stage.restart();
      return true;
    case 'crash':
      stage.crash(between(100, 2_000, strength), between(200, 3_000, fault.which));
      return true;
    case 'stall':
      stage.stall(between(100, longestStallMs, strength));
      return true;
    case 'clock-step':
      // Back to 1970 as after a flat battery, or a year on as after a wrong answer of a time server.
      stage.clock.stepWall(forOtherwise ? -stage.clock.wallMs() : 365 * dayMs + between(0, dayMs, fault.which));
      return true;
    case 'fire':
      stage.press('fire', true);
      stage.later(forMs + 4_000, () => stage.press('fire', false));
      return true;
    case 'stop-pressed':
      stage.press('stop', true);
      stage.later(Math.min(forMs, stopLongestMs), () => stage.press('stop', false));
      return true;
    case 'button-pressed':
      if (!stage.settings.sensors.includes('button')) return false;
      stage.press('button', true);
      stage.later(between(150, 1_500, strength), () => stage.press('button', false));
      return true;
    case 'command-open':
      stage.command('open');
      return true;
    case 'command-close':
      stage.command('close');
      return true;
    case 'command-hold':
      stage.command('hold');
      stage.later(forMs, () => stage.command('release'));
      return true;
    case 'command-stop':
      stage.command('stop');
      return true;
    case 'command-twice':
      stage.command(forOtherwise ? 'open' : 'close', 2);
      return true;
  }
}
