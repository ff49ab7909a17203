/**
 * Pictures without a Chinese plate, full of what is taken for one: shop signs, time stamps, car badges, telephones held
 * up, other countries' plates, road markings. Drawn here, in another way than the training's, so that they tell something.
 */
import sharp from 'sharp';
import { Random, loadFonts, textPath, type Fonts } from '../../src/sim/index.js';
import type { Image } from '../../src/vision/index.js';

const [width, height] = [1_280, 720];

const signs = ['便民超市', '停车场出入口', '小区物业服务中心', '请减速慢行', '限高2.2米', '禁止停车', '京东快递', '苏宁易购', '川湘人家', '沪上阿姨', '皖南土菜', '收费5元/小时', '24小时营业', '电动车充电处', '消防通道 严禁占用'] as const;
const letters = 'ABCDEFGHJKLMNPQRSTUVWXYZ';
const digits = '0123456789';
const boards = ['#103a8c', '#f0c400', '#f4f4f4', '#1a1a1a', '#c01818', '#0c7a3d', '#e8e2d0'] as const;
const inks = ['#ffffff', '#101010', '#ffe14a', '#d01515'] as const;

const draw = (random: Random, from: string, count: number): string => Array.from({ length: count }, () => random.character(from)).join('');

/** A thing around 0,0 and how wide it is. */
interface Thing {
  readonly svg: string;
  readonly width: number;
}

/** Writing on a board, or with an outline straight on the picture. */
function board(random: Random, fonts: Fonts, text: string, back: string | undefined, ink: string): Thing {
  const line = textPath(fonts, text, 0, 78, 80);
  const [w, h] = [line.width + 28, 104];
  const ground = back === undefined ? '' : `<rect x="-14" width="${String(w)}" height="${String(h)}" rx="${String(random.integer(0, 14))}" fill="${back}"/>`;
  const outline = back === undefined ? 'stroke="#000" stroke-width="5" paint-order="stroke"' : '';
  return { svg: `<g transform="translate(${String(-w / 2)},${String(-h / 2)})">${ground}<g fill="${ink}" ${outline}>${line.svg}</g></g>`, width: w };
}

function shopSign(random: Random, fonts: Fonts): Thing {
  const text = random.chance(0.7) ? random.pick(signs) : `${random.pick(signs)} ${draw(random, digits, random.integer(7, 11))}`;
  return board(random, fonts, text, random.pick(boards), random.pick(inks));
}

function timeStamp(random: Random, fonts: Fonts): Thing {
  const two = (most: number): string => String(random.integer(1, most)).padStart(2, '0');
  const text = random.pick([`2026-${two(12)}-${two(28)} ${two(23)}:${two(59)}:${two(59)}`, `2026年${two(12)}月${two(28)}日 ${two(23)}:${two(59)}`, `CH0${two(8)} ${draw(random, digits, 6)}`, `IPC${two(30)} 入口${two(4)}`]);
  return board(random, fonts, text, random.chance(0.3) ? '#000000' : undefined, '#ffffff');
}

function badge(random: Random, fonts: Fonts): Thing {
  const bars = Array.from({ length: 7 }, (_, at) => `<rect x="-170" y="${String(-60 + at * 18)}" width="340" height="${String(random.integer(4, 10))}" fill="#${random.pick(['2a2a2a', '555555', '999999'])}"/>`).join('');
  const rings = Array.from({ length: random.integer(2, 4) }, (_, at) => `<circle cx="${String(-75 + at * 50)}" r="34" fill="none" stroke="#d8d8d8" stroke-width="9"/>`).join('');
  const word = board(random, fonts, draw(random, letters, random.integer(3, 8)), undefined, '#dddddd').svg;
  return { svg: `<rect x="-175" y="-65" width="350" height="130" rx="20" fill="#161616"/>${bars}${random.chance(0.6) ? rings : word}`, width: 350 };
}

function telephone(random: Random, fonts: Fonts): Thing {
  const line = board(random, fonts, random.pick(signs), undefined, random.pick(inks)).svg;
  return { svg: `<rect x="-200" y="-105" width="400" height="210" rx="26" fill="#0b0b0b"/><rect x="-182" y="-90" width="364" height="180" fill="${random.pick(boards)}"/><g transform="scale(0.5)">${line}</g>`, width: 400 };
}

function foreignPlate(random: Random, fonts: Fonts): Thing {
  const text = random.pick([`${draw(random, letters, 2)}-${draw(random, digits, 3)}-${draw(random, letters, 2)}`, `${draw(random, letters, 2)} ${draw(random, letters, 2)} ${draw(random, digits, 4)}`, `${draw(random, digits, 3)}·${draw(random, letters, 3)}`]);
  const plate = board(random, fonts, text, random.pick(['#f4f4f4', '#f0c400', '#f4f4f4']), '#101010');
  return { svg: `${plate.svg}<rect x="${String(-plate.width / 2 - 30)}" y="-52" width="34" height="104" fill="#1a3c9c"/>`, width: plate.width + 40 };
}

function roadMarking(random: Random, fonts: Fonts): Thing {
  return board(random, fonts, random.pick(['公交专用', '慢', '网', '出口', '→', 'STOP', draw(random, letters, 1) + draw(random, digits, 3)]), undefined, '#e8e8e0');
}

const kinds = [shopSign, shopSign, timeStamp, badge, telephone, foreignPlate, roadMarking] as const;

function street(random: Random): string {
  const horizon = random.integer(120, 380);
  const houses = Array.from({ length: random.integer(2, 8) }, () => `<rect x="${String(random.integer(-100, width))}" y="${String(random.integer(0, horizon))}" width="${String(random.integer(60, 400))}" height="${String(random.integer(80, 420))}" fill="hsl(${String(random.integer(0, 360))} ${String(random.integer(0, 40))}% ${String(random.integer(15, 85))}%)"/>`).join('');
  return `<rect width="${String(width)}" height="${String(height)}" fill="hsl(210 ${String(random.integer(0, 60))}% ${String(random.integer(10, 90))}%)"/>${houses}<rect y="${String(horizon)}" width="${String(width)}" height="${String(height)}" fill="hsl(30 5% ${String(random.integer(10, 60))}%)" opacity="0.85"/>`;
}

/**
 * `count` pictures of 1280×720; every second one on one of the `grounds` where there are any (encoded pictures without
 * plates), the others on a drawn street. The same seed draws the same pictures.
 */
export async function* picturesWithoutPlates(count: number, seed: number, grounds: readonly Buffer[]): AsyncGenerator<Image> {
  const fonts = await loadFonts();
  for (let picture = 0; picture < count; picture += 1) {
    const random = new Random(seed, `picture ${String(picture)}`);
    const ground = picture % 2 === 0 ? grounds[random.integer(0, Math.max(0, grounds.length - 1))] : undefined;
    const things = Array.from({ length: random.integer(2, 5) }, () => {
      const thing = kinds[random.integer(0, kinds.length - 1)] ?? shopSign;
      const { svg, width: wide } = thing(random, fonts);
      const scale = random.between(60, 420) / wide;
      const turn = `rotate(${String(random.between(-12, 12))}) skewX(${String(random.between(-18, 18))}) skewY(${String(random.between(-14, 14))})`;
      return `<g transform="translate(${String(random.integer(80, width - 80))},${String(random.integer(40, height - 40))}) ${turn} scale(${String(scale)})" opacity="${String(random.between(0.75, 1))}">${svg}</g>`;
    }).join('');
    const svg = Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${String(width)}" height="${String(height)}">${ground === undefined ? street(random) : ''}${things}</svg>`);
    const base = ground === undefined ? sharp(svg) : sharp(await sharp(ground).resize(width, height, { fit: 'cover' }).toBuffer()).composite([{ input: svg }]);
    const lit = sharp(await base.removeAlpha().png({ compressionLevel: 0 }).toBuffer()).modulate({ brightness: random.between(0.4, 1.15), saturation: random.between(0.2, 1.2) }).blur(random.between(0.4, 1.8));
    const jpeg = await (random.chance(0.15) ? lit.grayscale() : lit).toColourspace('srgb').jpeg({ quality: random.integer(45, 92) }).toBuffer();
    const { data } = await sharp(jpeg).toColourspace('srgb').removeAlpha().raw().toBuffer({ resolveWithObject: true });
    yield { data, width, height };
  }
}
