import sharp from 'sharp';
import type { LaneId } from '../../base/index.js';
import type { SimPlate } from '../plates.js';
import { Random } from '../random.js';
import { drawBackdrops, type Backdrops } from './backdrop.js';
import { Canvas, type Area, type Gain } from './canvas.js';
import { loadFonts, textPath, type Fonts } from './glyphs.js';
import { Optics, defaultPose, pictureHeight, pictureWidth, type CameraPose, type Place } from './optics.js';
import { plateSize, plateTexture } from './plate-art.js';
import type { SceneLane, SceneVehicle } from './scene.js';
import { textureFromSvg, type Texture } from './texture.js';
import { armSvg, bonnetSvg, boxSvg, flankSvg, glassSvg, housingSvg, noseSvg, shadowSvg, shapes, tailSvg, windscreenSvg } from './vehicle-art.js';

/** Sprites are drawn once and kept; the oldest go when there are too many. */
class TextureStore {
  readonly #fonts: Fonts;
  readonly #known = new Map<string, Promise<Texture>>();

  constructor(fonts: Fonts) {
    this.#fonts = fonts;
  }

  plate(plate: SimPlate): Promise<Texture> {
    return this.#get(`plate ${plate.text} ${plate.colour} ${String(plate.rows)} ${plate.type}`, () => plateTexture(plate, this.#fonts));
  }

  drawn(key: string, svg: (fonts: Fonts) => string): Promise<Texture> {
    return this.#get(key, () => textureFromSvg(svg(this.#fonts)));
  }

  #get(key: string, make: () => Promise<Texture>): Promise<Texture> {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#known.set(key, made);
    if (this.#known.size > 300) {
      const oldest = this.#known.keys().next().value;
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    return made;
  }
}

interface Part {
  readonly corners: readonly [Place, Place, Place, Place];
  readonly texture: Promise<Texture>;
  /** Brightness of this face beside the others: flanks lie in the shade. */
  readonly tone?: number;
  /** Has detail that wants smooth sampling. */
  readonly fine?: boolean;
}

const noiseTable = (() => {
  const random = new Random(7, 'noise');
  return Int8Array.from({ length: 1 << 16 }, () => Math.round((random.next() + random.next() + random.next() - 1.5) * 7));
})();

export interface RenderOptions {
  readonly pose?: CameraPose;
  readonly quality?: number;
  /** Text in the picture's corner. */
  readonly caption?: boolean;
  readonly seed?: number;
}

/** Draws what one lane's camera sees, only anew where something has changed. */
export class LaneRenderer {
  readonly #optics: Optics;
  readonly #canvas = new Canvas();
  readonly #quality: number;
  readonly #caption: boolean;
  readonly #seed: number;
  #store: TextureStore | undefined;
  #fonts: Fonts | undefined;
  #backdrops: Backdrops | undefined;
  #lit: { readonly step: number; readonly pixels: Uint8Array } | undefined;
  #last: { readonly key: string; readonly jpeg: Buffer; readonly touched: readonly Area[] } | undefined;
  #frame = 0;

  constructor(options: RenderOptions = {}) {
    this.#optics = new Optics(options.pose ?? defaultPose);
    this.#quality = options.quality ?? 85;
    this.#caption = options.caption ?? true;
    this.#seed = options.seed ?? 1;
  }

  get optics(): Optics {
    return this.#optics;
  }

  /** Loads fonts and draws the backdrop. */
  async start(): Promise<void> {
    const fonts = await loadFonts();
    this.#fonts = fonts;
    this.#store = new TextureStore(fonts);
    this.#backdrops = await drawBackdrops(this.#optics, fonts, this.#seed);
  }

  /** JPEG of 1280 by 720; the same bytes again while nothing in the picture has changed. */
  async render(lane: SceneLane, light: number, wallMs: number): Promise<Buffer> {
    if (this.#store === undefined) await this.start();
    const store = this.#store;
    const fonts = this.#fonts;
    if (store === undefined || fonts === undefined) return Buffer.alloc(0);
    const step = Math.round(light * 40);
    const second = this.#caption ? Math.floor(wallMs / 1000) : 0;
    const key = JSON.stringify([step, second, lane.name, lane.boomPosition, lane.vehicles.map((vehicle) => [vehicle.id, vehicle.front, vehicle.lateralM])]);
    if (this.#last?.key === key) return this.#last.jpeg;
    const relit = this.#lit?.step !== step;
    const backdrop = this.#light(step);
    const vehicles = [...lane.vehicles].sort((a, b) => nearEnd(a) - nearEnd(b));
    const gain = gainAt(step / 40);
    // All sprites first, so that nothing waits between two strokes of one picture.
    const drawn = await Promise.all(vehicles.map(async (vehicle) => ({ vehicle, parts: await ready(vehicleParts(vehicle, this.#optics.pose.at.right, store)) })));
    const barrier = await ready(barrierParts(lane.boomPosition, store));
    const caption = this.#caption ? await store.drawn(`caption ${lane.name} ${String(second)}`, (known) => captionSvg(known, lane.name, wallMs)) : undefined;
    const canvas = this.#canvas;
    canvas.beginFrame(backdrop, relit || this.#last === undefined ? 'everywhere' : this.#last.touched);
    this.#frame += 1;
    const noiseOffset = (this.#frame * 40_503) & 0xffff;
    const beyond = drawn.filter(({ vehicle }) => nearEnd(vehicle) <= 0.2);
    const before = drawn.filter(({ vehicle }) => nearEnd(vehicle) > 0.2);
    const drawVehicles = (those: typeof drawn): void => {
      for (const { vehicle, parts } of those) {
        for (const part of parts) canvas.quad(this.#optics, part.corners, part.texture, scaled(gain, part.tone), part.fine);
        this.#lamps(vehicle, step / 40);
      }
      canvas.noise(noiseTable, noiseOffset, canvas.group());
    };
    drawVehicles(beyond);
    for (const part of barrier) {
      canvas.quad(this.#optics, part.corners, part.texture, scaled(gain, part.tone));
      canvas.group();
    }
    drawVehicles(before);
    if (caption !== undefined) canvas.stamp(caption, 24, 20);
    const jpeg = await sharp(canvas.pixels, { raw: { width: pictureWidth, height: pictureHeight, channels: 3 } })
      .jpeg({ quality: this.#quality })
      .toBuffer();
    this.#last = { key, jpeg, touched: canvas.touched };
    return jpeg;
  }

  #light(step: number): Uint8Array {
    if (this.#lit?.step === step) return this.#lit.pixels;
    const backdrops = this.#backdrops;
    const pixels = new Uint8Array(pictureWidth * pictureHeight * 3);
    if (backdrops !== undefined) {
      const share = step / 40;
      for (let at = 0; at < pixels.length; at += 1) pixels[at] = (backdrops.day[at] ?? 0) * share + (backdrops.dusk[at] ?? 0) * (1 - share);
    }
    this.#lit = { step, pixels };
    return pixels;
  }

  #lamps(vehicle: SceneVehicle, light: number): void {
    const shape = shapes[vehicle.kind];
    const facing = showsFront(vehicle);
    const strength = facing ? 0.25 + 0.75 * (1 - light) : 0.15 + 0.4 * (1 - light);
    const colour: Gain = facing ? [1, 0.97, 0.88] : [1, 0.12, 0.1];
    const up = vehicle.kind === 'motorcycle' ? 0.7 : shape.noseLow + (shape.noseHigh - shape.noseLow) * (shape.box === undefined ? 0.76 : 0.35);
    const sides = vehicle.kind === 'motorcycle' ? [0] : [-0.76, 0.76];
    for (const side of sides) {
      const place: Place = { right: vehicle.lateralM + (side * shape.width) / 2, up, along: nearEnd(vehicle) + 0.02 };
      const seen = this.#optics.see(place);
      if (seen[2] < 1) continue;
      this.#canvas.glow(this.#optics.toPixel(seen), (this.#optics.pose.focalPx * (0.16 + 0.34 * (1 - light))) / seen[2], colour, strength * 0.8);
    }
    if (vehicle.kind === 'ambulance') {
      const blink = this.#frame % 4 < 2;
      for (const side of [-0.5, 0.5]) {
        const seen = this.#optics.see({ right: vehicle.lateralM + side, up: shape.roofHigh + 0.08, along: nearEnd(vehicle) - shape.roofBack });
        if (seen[2] > 1) this.#canvas.glow(this.#optics.toPixel(seen), (this.#optics.pose.focalPx * 0.3) / seen[2], blink === side > 0 ? [0.2, 0.4, 1] : [1, 0.15, 0.15], 0.9);
      }
    }
  }
}

async function ready(parts: readonly Part[]): Promise<readonly { readonly corners: Part['corners']; readonly texture: Texture; readonly tone: number; readonly fine: boolean }[]> {
  return Promise.all(parts.map(async (part) => ({ corners: part.corners, texture: await part.texture, tone: part.tone ?? 1, fine: part.fine ?? false })));
}

/** The end of a vehicle that looks at the camera. */
function nearEnd(vehicle: SceneVehicle): number {
  return vehicle.heading > 0 ? vehicle.front : vehicle.front + vehicle.lengthM;
}

function showsFront(vehicle: SceneVehicle): boolean {
  return vehicle.heading > 0 !== vehicle.rearFirst;
}

function gainAt(light: number): Gain {
  const dark = 1 - light;
  return [1 - 0.5 * dark, 1 - 0.52 * dark, 1 - 0.46 * dark];
}

function scaled(gain: Gain, tone: number): Gain {
  return [gain[0] * tone, gain[1] * tone, gain[2] * tone];
}

function hash(text: string): number {
  let value = 0;
  for (let index = 0; index < text.length; index += 1) value = (value * 31 + text.charCodeAt(index)) >>> 0;
  return value;
}

/** Faces of a vehicle, the furthest first, the plate last. */
function vehicleParts(vehicle: SceneVehicle, cameraRight: number, store: TextureStore): readonly Part[] {
  const shape = shapes[vehicle.kind];
  const near = nearEnd(vehicle);
  const paint = vehicle.kind === 'ambulance' ? '#f4f5f6' : vehicle.paint;
  const half = shape.width / 2;
  const at = (x: number, up: number, back: number): Place => ({ right: vehicle.lateralM + x, up, along: near - back });
  /** A face across the lane, seen from the camera: its left is the vehicle's right. */
  const face = (widthLow: number, low: number, backLow: number, widthHigh: number, high: number, backHigh: number): Part['corners'] => [
    at(widthHigh / 2, high, backHigh), at(-widthHigh / 2, high, backHigh), at(-widthLow / 2, low, backLow), at(widthLow / 2, low, backLow),
  ];
  const side = cameraRight >= vehicle.lateralM ? 1 : -1;
  const parts: Part[] = [
    { corners: [at(half + 0.25, 0.01, -0.35), at(-half - 0.25, 0.01, -0.35), at(-half - 0.25, 0.01, vehicle.lengthM + 0.3), at(half + 0.25, 0.01, vehicle.lengthM + 0.3)], texture: store.drawn('shadow', () => shadowSvg) },
  ];
  const variant = hash(vehicle.id + paint) % 3;
  const front = showsFront(vehicle);
  if (vehicle.kind === 'motorcycle') {
    parts.push({ corners: face(shape.width, 0, 0, shape.width, 1.6, 0), texture: store.drawn('motorcycle', (fonts) => noseSvg('motorcycle', paint, 0, fonts)), fine: true });
    return parts;
  }
  const { box } = shape;
  if (box !== undefined) {
    const boxLength = vehicle.lengthM - box.back;
    const start = front ? box.back : 0;
    parts.push({ corners: [at(side * half, box.high, start), at(side * half, box.high, start + boxLength), at(side * half, 0.9, start + boxLength), at(side * half, 0.9, start)], texture: store.drawn(`boxside ${String(boxLength)}`, () => boxSvg(boxLength, box.high - 0.9, true)), tone: 0.72 });
    if (front) parts.push({ corners: face(shape.width, 0.9, box.back, shape.width, box.high, box.back), texture: store.drawn(`boxfront ${String(shape.width)}`, () => boxSvg(shape.width, box.high - 0.9, false)), tone: 0.9 });
  }
  const flank = side * half * 0.985;
  if (front) {
    const flankLength = vehicle.lengthM;
    parts.push({ corners: [at(flank, shape.footHigh, 0.03), at(flank, shape.footHigh, flankLength), at(flank, 0, flankLength), at(flank, 0, 0.03)], texture: store.drawn(`flank ${vehicle.kind} ${paint}`, () => flankSvg(vehicle.kind, paint, flankLength)), tone: 0.78 });
    const glassLength = box === undefined ? vehicle.lengthM - shape.footBack - 0.25 : box.back - shape.footBack;
    const lean = side * (shape.roofWidth / 2);
    parts.push({ corners: [at(lean, shape.roofHigh, shape.footBack), at(lean, shape.roofHigh, shape.footBack + glassLength), at(flank, shape.footHigh, shape.footBack + glassLength), at(flank, shape.footHigh, shape.footBack)], texture: store.drawn(`glass ${vehicle.kind} ${paint}`, (fonts) => glassSvg(vehicle.kind, paint, glassLength, shape.roofHigh - shape.footHigh, fonts)), tone: 0.8 });
    parts.push({ corners: face(shape.width * 0.88, shape.footHigh, shape.footBack, shape.roofWidth, shape.roofHigh, shape.roofBack), texture: store.drawn(`screen ${vehicle.kind} ${paint}`, () => windscreenSvg(vehicle.kind, paint)), fine: true });
    parts.push({ corners: face(shape.width * 0.985, shape.noseHigh, 0.01, shape.width * 0.95, shape.footHigh, shape.footBack), texture: store.drawn(`bonnet ${paint}`, () => bonnetSvg(paint)), tone: 1.04 });
    // Behind the nose's rounded corners there is body, not road.
    parts.push({ corners: face(shape.width * 0.94, shape.noseLow + 0.1, 0.05, shape.width * 0.93, shape.noseHigh, 0.05), texture: store.drawn(`bonnet ${paint}`, () => bonnetSvg(paint)), tone: 0.55 });
    parts.push({ corners: face(shape.width, shape.noseLow, 0, shape.width, shape.noseHigh, 0), texture: store.drawn(`nose ${vehicle.kind} ${paint} ${String(variant)}`, (fonts) => noseSvg(vehicle.kind, paint, variant, fonts)), tone: 0.94, fine: true });
    parts.push(...wheels(shape, at, store));
  } else {
    const high = box?.high ?? shape.noseHigh;
    if (box === undefined) {
      parts.push({ corners: face(shape.width * 0.9, shape.footHigh, 0.5, shape.roofWidth, shape.roofHigh, 1), texture: store.drawn(`screen ${vehicle.kind} ${paint}`, () => windscreenSvg(vehicle.kind, paint)), tone: 0.8 });
      parts.push({ corners: face(shape.width * 0.965, shape.noseHigh, 0.01, shape.width * 0.9, shape.footHigh, 0.5), texture: store.drawn(`bonnet ${paint}`, () => bonnetSvg(paint)) });
    }
    parts.push({ corners: face(shape.width, shape.noseLow, 0, shape.width, high, 0), texture: store.drawn(`tail ${vehicle.kind} ${paint}`, () => tailSvg(vehicle.kind, paint)), fine: true });
    parts.push(...wheels(shape, at, store));
  }
  if (vehicle.plate !== undefined) {
    const size = plateSize(vehicle.plate);
    // The sprite has a clear rim of two millimetres for smooth edges.
    const width = (size.widthMm + 4) / 1000;
    const height = (size.heightMm + 4) / 1000;
    const middle = front ? shape.plateUp : box === undefined ? shape.plateUp + 0.1 : 0.72;
    parts.push({ corners: face(width, middle - height / 2, -0.015, width, middle + height / 2, -0.015), texture: store.plate(vehicle.plate), fine: true });
  }
  return parts;
}

const wheelSvg = '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="96"><rect x="4" y="2" width="56" height="92" rx="14" fill="#121417"/><path d="M18 4 V92 M32 4 V92 M46 4 V92" stroke="#24282c" stroke-width="3"/></svg>';

/** Front tyres under the nose. */
function wheels(shape: (typeof shapes)['car'], at: (x: number, up: number, back: number) => Place, store: TextureStore): readonly Part[] {
  const tyre = store.drawn('tyre', () => wheelSvg);
  const width = 0.23;
  const high = shape.noseLow + 0.04;
  return [-1, 1].map((side) => {
    const middle = side * (shape.width / 2 - width / 2 - 0.05);
    return { corners: [at(middle + width / 2, high, 0.3), at(middle - width / 2, high, 0.3), at(middle - width / 2, 0, 0.3), at(middle + width / 2, 0, 0.3)], texture: tyre, tone: 0.7 };
  });
}

/** Arm and housing; the pivot stands on the camera's side of the lane. */
function barrierParts(position: number, store: TextureStore): readonly Part[] {
  const angle = (position * Math.PI) / 2;
  const pivot = { right: 2.3, up: 1 };
  const length = 3.9;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const along = 0.1;
  const corner = (reach: number, across: number): Place => ({ right: pivot.right - reach * cos + across * sin, up: pivot.up + reach * sin + across * cos, along });
  return [
    { corners: [corner(0, 0.055), corner(length, 0.055), corner(length, -0.055), corner(0, -0.055)], texture: store.drawn('arm', () => armSvg()) },
    {
      corners: [{ right: 2.48, up: 1.12, along: 0.2 }, { right: 2.1, up: 1.12, along: 0.2 }, { right: 2.1, up: 0.14, along: 0.2 }, { right: 2.48, up: 0.14, along: 0.2 }],
      texture: store.drawn(position > 0.9 ? 'housing open' : 'housing closed', () => housingSvg(position > 0.9)),
    },
  ];
}

/** Date, time and the camera's name, white with a dark rim, as cameras write them. China has one time zone. */
function captionSvg(fonts: Fonts, name: string, wallMs: number): string {
  const at = new Date(wallMs + 8 * 3_600_000).toISOString();
  const text = `${at.slice(0, 10)} ${at.slice(11, 19)}  ${name}`;
  const line = textPath(fonts, text, 4, 26, 26);
  const width = Math.ceil(line.width + 8);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${String(width)}" height="36"><g fill="#fff" stroke="#000" stroke-width="3" stroke-opacity="0.55" paint-order="stroke">${line.svg}</g></svg>`;
}

/** Draws one picture on its own; a running camera keeps a `LaneRenderer` instead. */
export async function renderFrame(scene: { readonly lane: SceneLane; readonly light: number; readonly wallMs: number }, options: RenderOptions = {}): Promise<Buffer> {
  return new LaneRenderer(options).render(scene.lane, scene.light, scene.wallMs);
}

/** Where the corners of a vehicle's plate are in the picture, pixels: top left, top right, bottom right, bottom left. */
export function plateCorners(vehicle: SceneVehicle, pose: CameraPose = defaultPose): readonly (readonly [number, number])[] {
  if (vehicle.plate === undefined) return [];
  const optics = new Optics(pose);
  const shape = shapes[vehicle.kind];
  const size = plateSize(vehicle.plate);
  const middle = showsFront(vehicle) ? shape.plateUp : shape.box === undefined ? shape.plateUp + 0.1 : 0.72;
  const along = nearEnd(vehicle) + 0.015;
  const half = size.widthMm / 2000;
  const rise = size.heightMm / 2000;
  return [[half, rise], [-half, rise], [-half, -rise], [half, -rise]].map(([x, y]) => optics.pixel({ right: vehicle.lateralM + (x ?? 0), up: middle + (y ?? 0), along }));
}

export interface Approach {
  readonly plate: SimPlate;
  readonly kind?: SceneVehicle['kind'];
  readonly paint?: string;
  /** Positions of the front along the lane, metres, one picture each. */
  readonly fronts: readonly number[];
  readonly lateralM?: number;
  readonly light?: number;
  readonly rearFirst?: boolean;
  readonly lane?: LaneId;
}

/** Pictures of one vehicle driving up, with the true corners of its plate. */
export async function renderApproach(approach: Approach, options: RenderOptions = {}): Promise<readonly { readonly jpeg: Buffer; readonly corners: readonly (readonly [number, number])[] }[]> {
  const renderer = new LaneRenderer(options);
  const pictures = [];
  for (const [index, front] of approach.fronts.entries()) {
    const kind = approach.kind ?? 'car';
    const vehicle: SceneVehicle = {
      id: 'approach',
      kind,
      front,
      lengthM: kind === 'truck' ? 7.2 : 4.6,
      heading: 1,
      lateralM: approach.lateralM ?? 0,
      paint: approach.paint ?? '#e9eaec',
      plate: approach.plate,
      rearFirst: approach.rearFirst ?? false,
    };
    const lane: SceneLane = { lane: approach.lane ?? 'entry', name: '月桂社区 入口', boomPosition: 0, vehicles: [vehicle] };
    const jpeg = await renderer.render(lane, approach.light ?? 1, 1_767_225_600_000 + index * 125);
    pictures.push({ jpeg, corners: plateCorners(vehicle, options.pose) });
  }
  return pictures;
}
