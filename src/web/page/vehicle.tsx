import { Fragment } from 'preact';
import { along, points, project, type Spot } from './projection.js';

export interface DrawnVehicle {
  readonly id: string;
  readonly frontM: number;
  readonly lengthM: number;
  readonly widthM: number;
  readonly heightM: number;
  readonly paint: string;
  /** Ground colour of its plate, where it has one. */
  readonly plate: string | undefined;
}

type Profile = readonly (readonly [number, number])[];

/** Outline from the side: metres back from the front bumper and up, clockwise from the lower front. */
function profileOf(length: number, height: number): { readonly outline: Profile; readonly window: Profile; readonly glassEdge: number } {
  if (height > 2) {
    return {
      outline: [[0, 0.4], [0, 1.25], [-0.35, height], [-length, height], [-length, 0.4]],
      window: [[-0.32, 1.35], [-0.55, height - 0.35], [-1.35, height - 0.35], [-1.35, 1.35]],
      glassEdge: 1,
    };
  }
  const l = length / 4.6;
  const h = height / 1.47;
  return {
    outline: [[0, 0.3], [0, 0.7 * h], [-0.95 * l, 0.93 * h], [-1.75 * l, height], [-3.5 * l, height], [-4.25 * l, 0.98 * h], [-length, 0.9 * h], [-length, 0.3]],
    window: [[-1.2 * l, 0.95 * h], [-1.85 * l, height - 0.1], [-3.4 * l, height - 0.1], [-3.95 * l, 0.97 * h]],
    glassEdge: 2,
  };
}

/** What looks backwards or down is hidden: its corners run the other way round on the screen. */
function facesViewer(corners: readonly Spot[]): boolean {
  const flat = corners.map(project);
  const area = flat.reduce((sum, [x, y], index) => {
    const [nextX, nextY] = flat[(index + 1) % flat.length] ?? [x, y];
    return sum + x * nextY - nextX * y;
  }, 0);
  return area < 0;
}

/** A vehicle as a solid body: the faces that look towards the viewer, from the far ones to the near ones. */
export function Vehicle({ vehicle, steady }: { readonly vehicle: DrawnVehicle; readonly steady: boolean }) {
  const half = vehicle.widthM / 2;
  const { outline, window, glassEdge } = profileOf(vehicle.lengthM, vehicle.heightM);
  const near = (profile: Profile): Spot[] => profile.map(([s, z]) => ({ s, w: half, z }));
  const edges = outline.slice(0, -1).flatMap(([s, z], index) => {
    const next = outline[index + 1];
    if (next === undefined) return [];
    const corners: Spot[] = [{ s, w: -half, z }, { s: next[0], w: -half, z: next[1] }, { s: next[0], w: half, z: next[1] }, { s, w: half, z }];
    return facesViewer(corners) ? [{ face: points(...corners), index }] : [];
  });
  const wheel = (s: number) => {
    const [x, y] = project({ s, w: half + 0.02, z: 0.33 });
    return (
      <Fragment>
        <ellipse cx={x} cy={y} rx={11} ry={10.5} class="tyre" />
        <ellipse cx={x} cy={y} rx={5} ry={4.8} class="rim" />
      </Fragment>
    );
  };
  const front = (fromW: number, toW: number, fromZ: number, toZ: number): string =>
    points({ s: 0.02, w: fromW, z: fromZ }, { s: 0.02, w: toW, z: fromZ }, { s: 0.02, w: toW, z: toZ }, { s: 0.02, w: fromW, z: toZ });
  return (
    <g class={steady ? 'vehicle steady' : 'vehicle'} style={{ transform: along(vehicle.frontM) }}>
      <polygon points={points({ s: 0.15, w: -half }, { s: 0.15, w: half + 0.15 }, { s: -vehicle.lengthM - 0.1, w: half + 0.15 }, { s: -vehicle.lengthM - 0.1, w: -half })} class="shadow" />
      {[...edges].reverse().map(({ face, index }) => (
        <Fragment key={index}>
          <polygon points={face} fill={index === glassEdge ? undefined : vehicle.paint} class={index === glassEdge ? 'glass' : 'panel'} />
          {index === glassEdge ? null : <polygon points={face} class={index === 0 ? 'shade' : 'light'} />}
        </Fragment>
      ))}
      <polygon points={points(...near(outline))} fill={vehicle.paint} class="panel" />
      <polygon points={points(...near(outline))} class="shade soft" />
      <polygon points={points(...near(window))} class="glass side" />
      {wheel(-0.85)}
      {wheel(-vehicle.lengthM + 0.9)}
      <polygon points={front(-half + 0.08, -half + 0.42, 0.52, 0.66)} class="lamp" />
      <polygon points={front(half - 0.42, half - 0.08, 0.52, 0.66)} class="lamp" />
      {vehicle.plate === undefined ? null : <polygon points={front(-0.3, 0.3, 0.36, 0.52)} class={`tiny-plate ${vehicle.plate}`} />}
    </g>
  );
}
