/** Tags of the Exif standard (CIPA DC-008, 4.6): the pointer from the first directory, and within it the time of exposure. */
const exifDirectory = 0x8769;
const dateTimeOriginal = 0x9003;
const subSecTimeOriginal = 0x9291;

const app1 = 0xe1;
const startOfScan = 0xda;
const signature = Buffer.from('Exif\0\0', 'latin1');

interface Tiff {
  readonly bytes: Buffer;
  readonly little: boolean;
}

const short = ({ bytes, little }: Tiff, at: number): number => (little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
const long = ({ bytes, little }: Tiff, at: number): number => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));

/** Where a directory's entry of this tag stands; undefined where it has none. */
function entry(tiff: Tiff, directory: number, tag: number): number | undefined {
  const count = short(tiff, directory);
  for (let index = 0; index < count; index += 1) {
    const at = directory + 2 + index * 12;
    if (short(tiff, at) === tag) return at;
  }
  return undefined;
}

/** Text of an entry; up to four bytes stand in the entry itself. */
function text(tiff: Tiff, directory: number, tag: number): string | undefined {
  const at = entry(tiff, directory, tag);
  if (at === undefined) return undefined;
  const length = long(tiff, at + 4);
  const start = length <= 4 ? at + 8 : long(tiff, at + 8);
  return tiff.bytes.toString('latin1', start, start + length).replace(/[\0 ]+$/u, '');
}

function timeOf(bytes: Buffer): number | undefined {
  const tiff = { bytes, little: bytes.toString('latin1', 0, 2) === 'II' };
  const pointer = entry(tiff, long(tiff, 4), exifDirectory);
  if (pointer === undefined) return undefined;
  const directory = long(tiff, pointer + 8);
  const second = /^(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)$/u.exec(text(tiff, directory, dateTimeOriginal) ?? '');
  const fraction = /^\d+$/u.exec(text(tiff, directory, subSecTimeOriginal) ?? '');
  if (second === null || fraction === null) return undefined;
  const [, year = '', month = '', day = '', hours = '', minutes = '', seconds = ''] = second;
  return Date.parse(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}Z`) + Number(`0.${fraction[0]}`) * 1_000;
}

/**
 * When a JPEG picture was taken, by its Exif DateTimeOriginal and SubSecTimeOriginal, ms on the camera's own clock, in
 * whatever time zone that is set to. Undefined where it does not say, or only to the second.
 */
export function exifTime(jpeg: Buffer): number | undefined {
  try {
    for (let at = 2; at + 4 <= jpeg.length && jpeg[at] === 0xff && jpeg[at + 1] !== startOfScan; at += 2 + jpeg.readUInt16BE(at + 2)) {
      const segment = jpeg.subarray(at + 4, at + 2 + jpeg.readUInt16BE(at + 2));
      if (jpeg[at + 1] === app1 && segment.subarray(0, signature.length).equals(signature)) return timeOf(segment.subarray(signature.length));
    }
  } catch (error) {
    // offsets that lead out of the segment
    if (!(error instanceof RangeError)) throw error;
  }
  return undefined;
}
