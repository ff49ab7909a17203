import { useEffect, useState } from 'preact/hooks';
import type { LaneData, SignalData, WorldData } from '../messages.js';
import { word } from '../words/look-up.js';
import { BoomMotion } from './boom-motion.js';
import { useWords } from './language.js';
import { ground, points, project, viewBox } from './projection.js';
import { Vehicle, type DrawnVehicle } from './vehicle.js';

const approachLoop = [-6, -4] as const;
const closingLoop = [-1, 1] as const;
const pivot = { s: 0, w: -2.2, z: 1 } as const;
const armLengthM = 3.9;

/** The boom's position as drawn. */
function useBoomPosition(lane: LaneData, world: WorldData | undefined): number {
  const told = world?.boom ?? lane.boomPosition;
  const [motion] = useState(() => new BoomMotion(told));
  const [shown, setShown] = useState(told);
  useEffect(() => {
    let frame = 0;
    motion.tell(told, world?.boom ?? (lane.boom === 'opening' ? 1 : lane.boom === 'closing' ? 0 : lane.boomPosition), performance.now());
    const step = (nowMs: number): void => {
      motion.frame(nowMs);
      setShown(motion.position);
      if (motion.moves) frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame);
  }, [lane.boom, told, world?.boom]);
  return shown;
}

const paints = ['#8fa3b0', '#c9ccc8', '#40566b', '#a8574d', '#d8d2c4', '#5b6b5a'];

/** Where the sensors say a vehicle is, for lanes without a simulation behind them. */
function inferredVehicles(lane: LaneData): readonly DrawnVehicle[] {
  const approach = lane.sensors['approach'] === 'on';
  const closing = lane.sensors['closing'] === 'on';
  if (!approach && !closing) return [];
  const hash = Array.from(lane.passage?.id ?? '').reduce((sum, letter) => sum + (letter.codePointAt(0) ?? 0), 0);
  return [
    {
      id: lane.passage?.id ?? 'somebody',
      frontM: approach && closing ? 0.6 : approach ? -2.2 : 3,
      lengthM: 4.6,
      widthM: 1.82,
      heightM: 1.47,
      paint: paints[hash % paints.length] ?? '#8fa3b0',
      plate: lane.passage?.plate?.colour,
    },
  ];
}

function worldVehicles(world: WorldData): readonly DrawnVehicle[] {
  return world.vehicles
    .filter((vehicle) => vehicle.frontM > -10 && vehicle.frontM - vehicle.lengthM < 8)
    .map((vehicle) => ({
      id: String(vehicle.id),
      frontM: vehicle.frontM,
      lengthM: vehicle.lengthM,
      widthM: vehicle.widthM ?? 1.82,
      heightM: vehicle.heightM ?? 1.47,
      paint: /^#[0-9a-f]{6}$/iu.test(vehicle.paint ?? '') ? (vehicle.paint ?? '') : '#8fa3b0',
      plate: vehicle.colour,
    }));
}

function Loop({ span, state }: { readonly span: readonly [number, number]; readonly state: SignalData | undefined }) {
  if (state === undefined) return null;
  return (
    <g class={`loop ${state}`}>
      <polygon points={ground(span[0], span[1], -1.25, 1.25)} class="coil" />
      <polygon points={ground(span[0] + 0.16, span[1] - 0.16, -1.09, 1.09)} class="coil inner" />
    </g>
  );
}

/** The lane drawn living: road, loops, beam, boom at its angle, and who stands there. */
export function Scene({ lane, world }: { readonly lane: LaneData; readonly world: WorldData | undefined }) {
  const words = useWords();
  const position = useBoomPosition(lane, world);
  const vehicles = world === undefined ? inferredVehicles(lane) : worldVehicles(world);
  const behind = vehicles.filter((vehicle) => vehicle.frontM <= 0).sort((one, other) => one.frontM - other.frontM);
  const before = vehicles.filter((vehicle) => vehicle.frontM > 0).sort((one, other) => one.frontM - other.frontM);
  const angle = (position * 86 * Math.PI) / 180;
  const [pivotX, pivotY] = project(pivot);
  const [tipX, tipY] = project({ s: 0, w: pivot.w + armLengthM * Math.cos(angle), z: pivot.z + armLengthM * Math.sin(angle) });
  const lamp = lane.boom === 'fault' || lane.boom === 'unknown' ? 'bad' : position > 0.9 ? 'go' : position > 0.02 ? 'moving' : 'stop';
  const beam = lane.sensors['beam'];
  const [beamX, beamY] = project({ s: 0.9, w: -1.95, z: 0.55 });
  const [beamEndX, beamEndY] = project({ s: 0.9, w: 1.95, z: 0.55 });
  const mirrored = lane.direction === 'exit' ? `translate(${viewBox.x * 2 + viewBox.width} 0) scale(-1 1)` : undefined;
  return (
    <svg class="scene" viewBox={`${viewBox.x} ${viewBox.y} ${viewBox.width} ${viewBox.height}`} role="img" aria-label={`${lane.name}: ${word(words.boom, lane.boom)}`}>
      <g transform={mirrored}>
        <polygon points={ground(-13, 9.5, -2.05, 2.05)} class="kerb" />
        <polygon points={ground(-13, 9.5, -1.85, 1.85)} class="road" />
        <polygon points={ground(-2.25, -1.95, -1.6, 1.6)} class="paint" />
        <polygon points={points({ s: -8.9, w: -0.11 }, { s: -7.9, w: -0.11 }, { s: -7.9, w: -0.36 }, { s: -7, w: 0 }, { s: -7.9, w: 0.36 }, { s: -7.9, w: 0.11 }, { s: -8.9, w: 0.11 })} class="paint" />
        <polygon points={points({ s: 3, w: -0.11 }, { s: 4, w: -0.11 }, { s: 4, w: -0.36 }, { s: 4.9, w: 0 }, { s: 4, w: 0.36 }, { s: 4, w: 0.11 }, { s: 3, w: 0.11 })} class="paint" />
        <Loop span={approachLoop} state={lane.sensors['approach']} />
        <Loop span={closingLoop} state={lane.sensors['closing']} />
        {behind.map((vehicle) => (
          <Vehicle key={vehicle.id} vehicle={vehicle} steady={world !== undefined} />
        ))}
        <g class="cabinet">
          <polygon points={points({ s: 0.3, w: -2.5 }, { s: 0.3, w: -2.05 }, { s: 0.3, w: -2.05, z: 1.15 }, { s: 0.3, w: -2.5, z: 1.15 })} class="face front" />
          <polygon points={points({ s: 0.3, w: -2.05 }, { s: -0.3, w: -2.05 }, { s: -0.3, w: -2.05, z: 1.15 }, { s: 0.3, w: -2.05, z: 1.15 })} class="face side" />
          <polygon points={points({ s: 0.3, w: -2.5, z: 1.15 }, { s: 0.3, w: -2.05, z: 1.15 }, { s: -0.3, w: -2.05, z: 1.15 }, { s: -0.3, w: -2.5, z: 1.15 })} class="face top" />
        </g>
        <g class="arm">
          <line x1={pivotX} y1={pivotY} x2={tipX} y2={tipY} class="edge" />
          <line x1={pivotX} y1={pivotY} x2={tipX} y2={tipY} class="white" />
          <line x1={pivotX} y1={pivotY} x2={tipX} y2={tipY} class="red" pathLength={100} />
          <circle cx={pivotX} cy={pivotY} r={5} class="hub" />
        </g>
        <circle cx={project({ s: 0.3, w: -2.28, z: 1.32 })[0]} cy={project({ s: 0.3, w: -2.28, z: 1.32 })[1]} r={7} class={`signal ${lamp}`} />
        {beam === undefined ? null : (
          <g class={`beam ${beam}`}>
            <line x1={beamX} y1={beamY} x2={beamEndX} y2={beamEndY} class="ray" />
            <line x1={beamX} y1={beamY} x2={beamX} y2={beamY + 17} class="foot" />
            <circle cx={beamX} cy={beamY} r={3.4} />
          </g>
        )}
        {before.map((vehicle) => (
          <Vehicle key={vehicle.id} vehicle={vehicle} steady={world !== undefined} />
        ))}
        {beam === undefined ? null : (
          <g class={`beam ${beam}`}>
            <line x1={beamEndX} y1={beamEndY} x2={beamEndX} y2={beamEndY + 17} class="foot" />
            <circle cx={beamEndX} cy={beamEndY} r={3.4} />
          </g>
        )}
      </g>
    </svg>
  );
}
