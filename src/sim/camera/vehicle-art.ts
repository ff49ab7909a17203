import type { VehicleKind } from '../vehicle.js';
import { characterPath, type Fonts } from './glyphs.js';

/** Shape of a vehicle's front part, metres: a nose, a bonnet, a windscreen, a roof, and what stands behind. */
export interface Shape {
  readonly width: number;
  /** Lower and upper edge of the upright nose. */
  readonly noseLow: number;
  readonly noseHigh: number;
  /** Foot of the windscreen: height, and distance behind the nose. */
  readonly footHigh: number;
  readonly footBack: number;
  readonly roofHigh: number;
  readonly roofBack: number;
  readonly roofWidth: number;
  readonly plateUp: number;
  /** A box behind the cab: from where, and how high. */
  readonly box?: { readonly back: number; readonly high: number };
}

export const shapes: Readonly<Record<VehicleKind, Shape>> = {
  car: { width: 1.82, noseLow: 0.17, noseHigh: 0.76, footHigh: 0.98, footBack: 1.05, roofHigh: 1.46, roofBack: 1.85, roofWidth: 1.2, plateUp: 0.46 },
  suv: { width: 1.92, noseLow: 0.22, noseHigh: 0.98, footHigh: 1.12, footBack: 1, roofHigh: 1.7, roofBack: 1.65, roofWidth: 1.34, plateUp: 0.56 },
  van: { width: 2, noseLow: 0.2, noseHigh: 0.98, footHigh: 1.15, footBack: 0.4, roofHigh: 2.08, roofBack: 1.1, roofWidth: 1.66, plateUp: 0.5 },
  truck: { width: 2.3, noseLow: 0.3, noseHigh: 1.3, footHigh: 1.32, footBack: 0.04, roofHigh: 2.2, roofBack: 0.25, roofWidth: 2.1, plateUp: 0.62, box: { back: 1.9, high: 2.9 } },
  'truck-trailer': { width: 2.4, noseLow: 0.3, noseHigh: 1.35, footHigh: 1.37, footBack: 0.04, roofHigh: 2.4, roofBack: 0.25, roofWidth: 2.2, plateUp: 0.62, box: { back: 2.1, high: 3.2 } },
  motorcycle: { width: 0.8, noseLow: 0, noseHigh: 1.6, footHigh: 1.6, footBack: 0.1, roofHigh: 1.6, roofBack: 0.2, roofWidth: 0.5, plateUp: 0.6 },
  ambulance: { width: 2, noseLow: 0.22, noseHigh: 1, footHigh: 1.16, footBack: 0.42, roofHigh: 2.35, roofBack: 1.25, roofWidth: 1.72, plateUp: 0.55 },
};

/** Pixels a metre of the sprites. */
const density = 300;

function shade(paint: string, factor: number): string {
  const channel = (at: number): string => {
    const value = Number.parseInt(paint.slice(at, at + 2), 16) * factor + (factor > 1 ? 14 * (factor - 1) * 4 : 0);
    return Math.max(0, Math.min(255, Math.round(value))).toString(16).padStart(2, '0');
  };
  return `#${channel(1)}${channel(3)}${channel(5)}`;
}

function svg(widthM: number, heightM: number, body: string, scale = density): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${String(Math.ceil(widthM * scale))}" height="${String(Math.ceil(heightM * scale))}" viewBox="0 0 ${String(Math.round(widthM * 1000))} ${String(Math.round(heightM * 1000))}" preserveAspectRatio="none">${body}</svg>`;
}

function bodyPaint(paint: string, id = 'paint'): string {
  return `<linearGradient id="${id}" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="${shade(paint, 1.12)}"/><stop offset="0.35" stop-color="${paint}"/><stop offset="0.75" stop-color="${shade(paint, 0.78)}"/><stop offset="1" stop-color="${shade(paint, 0.5)}"/></linearGradient>`;
}

const lamp = '<radialGradient id="lamp"><stop offset="0" stop-color="#fff"/><stop offset="0.35" stop-color="#e9f1f8"/><stop offset="1" stop-color="#7d8892"/></radialGradient>';

/** Upright face a driver of the opposite lane would see, in millimetres from its top left. */
export function noseSvg(kind: VehicleKind, paint: string, variant: number, fonts: Fonts): string {
  const shape = shapes[kind];
  const w = Math.round(shape.width * 1000);
  const h = Math.round((shape.noseHigh - shape.noseLow) * 1000);
  if (kind === 'motorcycle') return svg(shape.width, 1.6, riderBody());
  if (kind === 'truck' || kind === 'truck-trailer') return svg(shape.width, h / 1000, truckNose(w, h, paint));
  const plateY = Math.round((shape.noseHigh - shape.plateUp) * 1000);
  const lampHigh = Math.round(h * (kind === 'car' ? 0.2 : 0.17));
  const grilleWidth = [0.5, 0.62, 0.42][variant % 3] ?? 0.5;
  const g0 = Math.round(w * (0.5 - grilleWidth / 2));
  const g1 = w - g0;
  const grilleTop = Math.round(h * 0.1);
  const grilleBottom = plateY - 88;
  let slats = '';
  for (let y = grilleTop + 16; y < grilleBottom - 8; y += [24, 18, 34][variant % 3] ?? 24) {
    slats += `<rect x="${String(g0 + 30)}" y="${String(y)}" width="${String(g1 - g0 - 60)}" height="6" fill="#8d949b" opacity="0.55"/>`;
  }
  const badge = kind === 'ambulance' ? '' : `<circle cx="${String(w / 2)}" cy="${String((grilleTop + grilleBottom) / 2)}" r="42" fill="#22262b" stroke="#d7dce1" stroke-width="11"/><path d="M${String(w / 2 - 20)} ${String((grilleTop + grilleBottom) / 2 + 18)} l20 -40 l20 40" fill="none" stroke="#d7dce1" stroke-width="9"/>`;
  const lampShape = (mirrored: boolean): string => {
    const points: readonly (readonly [number, number])[] = [
      [50, lampHigh * 0.72], [70, lampHigh * 0.45], [g0 - 40, lampHigh * 0.75], [g0 - 60, lampHigh * 1.55], [200, lampHigh * 1.75], [70, lampHigh * 1.5],
    ];
    const text = points.map(([x, y]) => `${String(Math.round(mirrored ? w - x : x))},${String(Math.round(y))}`).join(' ');
    const cx = mirrored ? w - g0 * 0.52 : g0 * 0.52;
    return `<polygon points="${text}" fill="#2a2f35" stroke="#c9d0d6" stroke-width="6" stroke-linejoin="round"/><circle cx="${String(cx)}" cy="${String(lampHigh * 1.12)}" r="${String(lampHigh * 0.36)}" fill="url(#lamp)"/><circle cx="${String(mirrored ? cx + 110 : cx - 110)}" cy="${String(lampHigh * 1.08)}" r="${String(lampHigh * 0.24)}" fill="url(#lamp)" opacity="0.8"/>`;
  };
  const stripe = kind === 'ambulance' ? `<rect x="0" y="${String(h * 0.5)}" width="${String(w)}" height="40" fill="#c8202a"/>${sign('急救', w / 2 - 130, 8, 110, 62, '#c8202a', fonts)}` : '';
  return svg(
    shape.width,
    h / 1000,
    `<defs>${bodyPaint(paint)}${lamp}</defs>
<path d="M30 60 Q40 6 190 4 L${String(w - 190)} 4 Q${String(w - 40)} 6 ${String(w - 30)} 60 L${String(w - 6)} ${String(h * 0.62)} Q${String(w - 10)} ${String(h - 6)} ${String(w - 120)} ${String(h - 4)} L120 ${String(h - 4)} Q10 ${String(h - 6)} 6 ${String(h * 0.62)} Z" fill="url(#paint)"/>
<path d="M60 ${String(h * 0.5)} Q${String(w / 2)} ${String(h * 0.58)} ${String(w - 60)} ${String(h * 0.5)}" fill="none" stroke="#000" stroke-opacity="0.25" stroke-width="8"/>
<path d="M${String(g0)} ${String(grilleTop)} L${String(g1)} ${String(grilleTop)} L${String(g1 - 40)} ${String(grilleBottom)} L${String(g0 + 40)} ${String(grilleBottom)} Z" fill="#14171a" stroke="#aab1b8" stroke-width="9" stroke-linejoin="round"/>${slats}${badge}
${lampShape(false)}${lampShape(true)}${stripe}
<rect x="${String(w / 2 - 270)}" y="${String(plateY - 85)}" width="540" height="170" rx="16" fill="#000" opacity="0.35"/>
<path d="M${String(w * 0.24)} ${String(plateY + 95)} L${String(w * 0.76)} ${String(plateY + 95)} L${String(w * 0.7)} ${String(h - 40)} L${String(w * 0.3)} ${String(h - 40)} Z" fill="#15181b" opacity="0.9"/>
<rect x="90" y="${String(h * 0.66)}" width="190" height="70" rx="20" fill="#191c20"/><circle cx="170" cy="${String(h * 0.66 + 35)}" r="26" fill="url(#lamp)" opacity="0.75"/>
<rect x="${String(w - 280)}" y="${String(h * 0.66)}" width="190" height="70" rx="20" fill="#191c20"/><circle cx="${String(w - 170)}" cy="${String(h * 0.66 + 35)}" r="26" fill="url(#lamp)" opacity="0.75"/>
<rect x="110" y="${String(h - 34)}" width="${String(w - 220)}" height="26" rx="12" fill="#0e1012"/>`,
  );
}

function truckNose(w: number, h: number, paint: string): string {
  return `<defs>${bodyPaint(paint)}${lamp}</defs><rect x="10" y="0" width="${String(w - 20)}" height="${String(h)}" rx="36" fill="url(#paint)"/>
<rect x="${String(w * 0.14)}" y="70" width="${String(w * 0.72)}" height="270" rx="30" fill="#16191d"/>${[110, 165, 220, 275].map((y) => `<rect x="${String(w * 0.17)}" y="${String(y)}" width="${String(w * 0.66)}" height="16" fill="#7d858d"/>`).join('')}
<rect x="${String(w * 0.4)}" y="168" width="${String(w * 0.2)}" height="60" rx="12" fill="#c8cdd2"/>
<rect x="20" y="${String(h - 520)}" width="${String(w - 40)}" height="470" rx="40" fill="#2b3036"/>
<rect x="70" y="${String(h - 440)}" width="330" height="180" rx="34" fill="#101316"/><circle cx="180" cy="${String(h - 350)}" r="64" fill="url(#lamp)"/><circle cx="320" cy="${String(h - 350)}" r="48" fill="url(#lamp)" opacity="0.8"/>
<rect x="${String(w - 400)}" y="${String(h - 440)}" width="330" height="180" rx="34" fill="#101316"/><circle cx="${String(w - 180)}" cy="${String(h - 350)}" r="64" fill="url(#lamp)"/><circle cx="${String(w - 320)}" cy="${String(h - 350)}" r="48" fill="url(#lamp)" opacity="0.8"/>
<rect x="${String(w * 0.28)}" y="${String(h - 190)}" width="${String(w * 0.44)}" height="90" rx="20" fill="#14171a"/>`;
}

function riderBody(): string {
  return `<defs>${lamp}</defs><ellipse cx="400" cy="1330" rx="62" ry="265" fill="#16181b"/><rect x="352" y="900" width="96" height="330" rx="30" fill="#3a3f45"/><path d="M240 820 Q400 700 560 820 L520 1080 Q400 1150 280 1080 Z" fill="#9c2329"/><circle cx="400" cy="900" r="78" fill="url(#lamp)"/><rect x="120" y="720" width="560" height="34" rx="16" fill="#22262a"/><path d="M230 720 Q220 400 330 360 L470 360 Q580 400 570 720 L480 800 L320 800 Z" fill="#2f4858"/><path d="M235 520 L130 730 M565 520 L670 730" stroke="#2f4858" stroke-width="80" stroke-linecap="round"/><circle cx="400" cy="230" r="135" fill="#e8eaec"/><path d="M290 220 Q400 160 510 220 L490 300 Q400 340 310 300 Z" fill="#20262c"/>`;
}

/** Rear end of a vehicle that reverses in or leaves the wrong way. */
export function tailSvg(kind: VehicleKind, paint: string): string {
  const shape = shapes[kind];
  const high = shape.box?.high ?? shape.noseHigh;
  const w = Math.round(shape.width * 1000);
  const h = Math.round((high - shape.noseLow) * 1000);
  const red = '<linearGradient id="red" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#e2323a"/><stop offset="1" stop-color="#7d1217"/></linearGradient>';
  if (shape.box === undefined) {
    return svg(
      shape.width,
      h / 1000,
      `<defs>${bodyPaint(paint)}${red}</defs><rect x="10" y="4" width="${String(w - 20)}" height="${String(h - 8)}" rx="90" fill="url(#paint)"/><rect x="50" y="60" width="330" height="120" rx="40" fill="url(#red)"/><rect x="${String(w - 380)}" y="60" width="330" height="120" rx="40" fill="url(#red)"/><rect x="380" y="100" width="${String(w - 760)}" height="26" fill="url(#red)"/><rect x="130" y="${String(h - 150)}" width="${String(w - 260)}" height="120" rx="40" fill="#1a1d20"/>`,
    );
  }
  const doorTop = 40;
  const doorBottom = h - 620;
  return svg(
    shape.width,
    h / 1000,
    `<defs>${red}</defs><rect x="0" y="0" width="${String(w)}" height="${String(h - 560)}" fill="#d9dcdf"/><rect x="30" y="${String(doorTop)}" width="${String(w / 2 - 45)}" height="${String(doorBottom - doorTop)}" fill="#eceef0" stroke="#9aa0a6" stroke-width="10"/><rect x="${String(w / 2 + 15)}" y="${String(doorTop)}" width="${String(w / 2 - 45)}" height="${String(doorBottom - doorTop)}" fill="#e4e6e9" stroke="#9aa0a6" stroke-width="10"/>
${[0.36, 0.44, 0.56, 0.64].map((x) => `<rect x="${String(w * x)}" y="${String(doorTop)}" width="16" height="${String(doorBottom - doorTop)}" fill="#8a9096"/>`).join('')}
<rect x="0" y="${String(h - 600)}" width="${String(w)}" height="46" fill="#c8202a"/><rect x="0" y="${String(h - 600)}" width="${String(w)}" height="46" fill="none" stroke="#fff" stroke-width="14" stroke-dasharray="120 120"/>
<rect x="60" y="${String(h - 540)}" width="${String(w - 120)}" height="400" fill="#25292e"/><rect x="80" y="${String(h - 500)}" width="360" height="130" rx="20" fill="url(#red)"/><rect x="${String(w - 440)}" y="${String(h - 500)}" width="360" height="130" rx="20" fill="url(#red)"/><rect x="30" y="${String(h - 140)}" width="${String(w - 60)}" height="110" rx="20" fill="#3a4046"/>`,
  );
}

export function bonnetSvg(paint: string): string {
  return svg(
    1.8,
    1,
    `<defs><linearGradient id="g" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="${shade(paint, 0.86)}"/><stop offset="0.5" stop-color="${shade(paint, 1.16)}"/><stop offset="1" stop-color="${shade(paint, 1.05)}"/></linearGradient></defs><rect width="1800" height="1000" fill="url(#g)"/><path d="M420 0 L330 1000 M1380 0 L1470 1000" stroke="#000" stroke-opacity="0.22" stroke-width="14"/><path d="M440 0 L352 1000" stroke="#fff" stroke-opacity="0.28" stroke-width="10"/>`,
    160,
  );
}

export function windscreenSvg(kind: VehicleKind, paint: string): string {
  const tall = kind === 'car' || kind === 'suv' ? 0.5 : 0.9;
  return svg(
    1.6,
    tall,
    `<defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="#aebccb"/><stop offset="0.3" stop-color="#54636f"/><stop offset="0.62" stop-color="#27313a"/><stop offset="1" stop-color="#4d5c68"/></linearGradient></defs>
<rect width="1600" height="${String(tall * 1000)}" fill="${shade(paint, 0.82)}"/><rect x="52" y="44" width="1496" height="${String(tall * 1000 - 50)}" rx="50" fill="url(#g)"/>
<path d="M470 ${String(tall * 1000 - 10)} q-10 -190 90 -210 q-60 -150 60 -160 q120 10 60 160 q100 20 90 210 Z" fill="#12171b" opacity="0.55"/><path d="M930 ${String(tall * 1000 - 10)} q-10 -170 90 -200 q10 -60 60 -60 q50 0 60 60 q100 30 90 200 Z" fill="#12171b" opacity="0.35"/>
<rect x="740" y="50" width="120" height="46" rx="12" fill="#12161a"/><path d="M120 44 L420 44 L180 ${String(tall * 1000 - 6)} L60 ${String(tall * 1000 - 6)} Z" fill="#fff" opacity="0.12"/><path d="M80 ${String(tall * 1000 - 14)} L800 ${String(tall * 1000 - 60)}" stroke="#0b0d0f" stroke-width="16"/>`,
  );
}

/** Flank from the windows' foot down to the road, front at the left. */
export function flankSvg(kind: VehicleKind, paint: string, lengthM: number): string {
  const shape = shapes[kind];
  const l = Math.round(lengthM * 1000);
  const h = Math.round(shape.footHigh * 1000);
  const low = h - Math.round(shape.noseLow * 1000);
  const radius = shape.box === undefined ? 335 : 480;
  const wheels = shape.box === undefined ? [880, l - 900] : [1250, l - 1500, l - 2500];
  const wheel = (x: number): string =>
    `<circle cx="${String(x)}" cy="${String(h - radius)}" r="${String(radius + 45)}" fill="#0b0c0e"/><circle cx="${String(x)}" cy="${String(h - radius)}" r="${String(radius)}" fill="#17191c"/><circle cx="${String(x)}" cy="${String(h - radius)}" r="${String(radius * 0.62)}" fill="#a9afb6"/><circle cx="${String(x)}" cy="${String(h - radius)}" r="${String(radius * 0.5)}" fill="#5b6168"/><circle cx="${String(x)}" cy="${String(h - radius)}" r="${String(radius * 0.16)}" fill="#c4c9ce"/>`;
  const stripe = kind === 'ambulance' ? `<rect x="0" y="${String(h * 0.35)}" width="${String(l)}" height="110" fill="#c8202a"/>` : '';
  return svg(
    lengthM,
    h / 1000,
    `<defs>${bodyPaint(paint)}</defs><path d="M10 ${String((shape.footHigh - shape.noseHigh) * 1000 + 30)} Q${String(shape.footBack * 500)} 10 ${String(shape.footBack * 1000 + 60)} 0 L${String(l - 120)} 0 Q${String(l)} 60 ${String(l - 10)} ${String(low)} L20 ${String(low)} Z" fill="url(#paint)"/>
<path d="M120 ${String(h * 0.33)} L${String(l - 90)} ${String(h * 0.26)}" stroke="#fff" stroke-opacity="0.25" stroke-width="16"/>${stripe}
${shape.box === undefined ? `<path d="M${String(l * 0.32)} 20 L${String(l * 0.33)} ${String(low - 60)} M${String(l * 0.55)} 20 L${String(l * 0.55)} ${String(low - 60)} M${String(l * 0.76)} 20 L${String(l * 0.74)} ${String(low * 0.6)}" stroke="#000" stroke-opacity="0.35" stroke-width="9" fill="none"/><rect x="${String(l * 0.46)}" y="${String(h * 0.2)}" width="170" height="34" rx="14" fill="#000" opacity="0.4"/>` : ''}${wheels.map(wheel).join('')}`,
    160,
  );
}

/** Windows of the flank; of a van and an ambulance the tall side. */
export function glassSvg(kind: VehicleKind, paint: string, lengthM: number, heightM: number, fonts: Fonts): string {
  const l = Math.round(lengthM * 1000);
  const h = Math.round(heightM * 1000);
  const sedan = kind === 'car' || kind === 'suv';
  const slopeFront = sedan ? 760 : 680;
  const slopeBack = kind === 'car' ? 800 : 160;
  const outline = `M0 ${String(h)} L${String(slopeFront)} 12 Q${String(slopeFront + 60)} 0 ${String(slopeFront + 160)} 0 L${String(l - slopeBack)} 0 Q${String(l - slopeBack / 2)} 10 ${String(l)} ${String(h)} Z`;
  const windows = sedan
    ? `<path d="M130 ${String(h - 30)} L${String(slopeFront + 30)} 60 L${String(l * 0.48)} 50 L${String(l * 0.48)} ${String(h - 30)} Z M${String(l * 0.51)} ${String(h - 30)} L${String(l * 0.51)} 50 L${String(l - slopeBack - 40)} 60 L${String(l - 180)} ${String(h - 30)} Z" fill="#2a343c"/><path d="M${String(slopeFront)} 90 L${String(slopeFront + 160)} 70 L360 ${String(h - 40)} L220 ${String(h - 40)} Z" fill="#fff" opacity="0.15"/>`
    : `<path d="M150 ${String(h - 60)} L${String(slopeFront + 10)} 110 L${String(slopeFront + 760)} 110 L${String(slopeFront + 760)} ${String(h - 60)} Z" fill="#2a343c"/>${kind === 'ambulance' ? sign('急救', l * 0.5, h * 0.18, 420, 430, '#c8202a', fonts) + sign('120', l * 0.5 + 1150, h * 0.22, 230, 380, '#1c5aa8', fonts) : `<path d="M${String(slopeFront + 860)} 110 L${String(l - 300)} 110 L${String(l - 300)} ${String(h - 60)} L${String(slopeFront + 860)} ${String(h - 60)} Z" fill="#2f3a42"/>`}`;
  return svg(lengthM, heightM, `<path d="${outline}" fill="${shade(paint, 0.95)}"/>${windows}`, 160);
}

function sign(text: string, x: number, y: number, width: number, height: number, colour: string, fonts: Fonts): string {
  return `<g fill="${colour}">${Array.from(text)
    .map((character, index) => characterPath(fonts, character, { x: x + index * width * 1.18, y, width, height }))
    .join('')}</g>`;
}

/** Cargo box: its front above the cab, or its side. */
export function boxSvg(lengthM: number, heightM: number, ribs: boolean): string {
  const l = Math.round(lengthM * 1000);
  const h = Math.round(heightM * 1000);
  let lines = '';
  if (ribs) for (let x = 400; x < l; x += 400) lines += `<rect x="${String(x)}" y="0" width="22" height="${String(h)}" fill="#000" opacity="0.12"/>`;
  return svg(
    lengthM,
    heightM,
    `<defs><linearGradient id="g" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#eef0f2"/><stop offset="1" stop-color="#b9bec4"/></linearGradient></defs><rect width="${String(l)}" height="${String(h)}" fill="url(#g)"/>${lines}<rect x="0" y="0" width="${String(l)}" height="40" fill="#8f959b"/><rect x="0" y="${String(h - 50)}" width="${String(l)}" height="50" fill="#777d84"/>`,
    120,
  );
}

export const shadowSvg =
  '<svg xmlns="http://www.w3.org/2000/svg" width="128" height="256"><defs><filter id="b" x="-30%" y="-30%" width="160%" height="160%"><feGaussianBlur stdDeviation="9"/></filter></defs><rect x="18" y="18" width="92" height="220" rx="16" fill="#000" opacity="0.72" filter="url(#b)"/></svg>';

/** Arm of the barrier: white with red bands and a line of lamps along its foot. */
export function armSvg(): string {
  let bands = '';
  for (let x = 0; x < 3800; x += 760) bands += `<rect x="${String(x + 380)}" y="0" width="380" height="110" fill="#d3222b"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="1900" height="55" viewBox="0 0 3800 110"><defs><linearGradient id="g" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#fff" stop-opacity="0.45"/><stop offset="0.5" stop-color="#fff" stop-opacity="0"/><stop offset="1" stop-color="#000" stop-opacity="0.35"/></linearGradient></defs><rect width="3800" height="110" rx="30" fill="#f4f5f6"/>${bands}<rect width="3800" height="110" rx="30" fill="url(#g)"/></svg>`;
}

/** Housing of the barrier, the side that looks at the camera, with its lamp red or green. */
export function housingSvg(open: boolean): string {
  const light = open ? '#35e07a' : '#ff4545';
  return `<svg xmlns="http://www.w3.org/2000/svg" width="200" height="560" viewBox="0 0 400 1120"><defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="0"><stop offset="0" stop-color="#2f3438"/><stop offset="0.5" stop-color="#474e54"/><stop offset="1" stop-color="#24282c"/></linearGradient></defs><rect x="0" y="40" width="400" height="1080" rx="26" fill="url(#g)"/><rect x="0" y="0" width="400" height="150" rx="40" fill="#e8791c"/><rect x="40" y="190" width="320" height="26" rx="13" fill="${light}"/><rect x="60" y="300" width="280" height="420" rx="16" fill="none" stroke="#5d656c" stroke-width="8"/><path d="M200 400 l90 150 h-180 Z" fill="#f3b31b"/><rect x="193" y="450" width="14" height="60" fill="#222"/><rect x="193" y="520" width="14" height="14" fill="#222"/><rect x="0" y="960" width="400" height="24" fill="#e8791c"/></svg>`;
}
