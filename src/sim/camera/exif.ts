/** Bytes of the directories below: what they point to stands behind them, and the one behind the other. */
const headerBytes = 8;
const directoryBytes = 2 + 12 + 4;
const exifBytes = 2 + 2 * 12 + 4;
const ascii = 2;
const long = 4;

function entry(tag: number, type: number, count: number, value: Buffer | number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt16BE(tag, 0);
  bytes.writeUInt16BE(type, 2);
  bytes.writeUInt32BE(count, 4);
  if (typeof value === 'number') bytes.writeUInt32BE(value, 8);
  else value.copy(bytes, 8);
  return bytes;
}

function directory(...entries: readonly Buffer[]): Buffer {
  const count = Buffer.alloc(2);
  count.writeUInt16BE(entries.length);
  return Buffer.concat([count, ...entries, Buffer.alloc(4)]);
}

/**
 * Says in a JPEG picture when it was taken, as cameras do: Exif (CIPA DC-008) DateTimeOriginal and SubSecTimeOriginal, to
 * the millisecond.
 */
export function withTime(jpeg: Buffer, wallMs: number): Buffer {
  const [day = '', time = '', fraction = ''] = new Date(wallMs).toISOString().replace('Z', '').split(/[T.]/u);
  const taken = Buffer.from(`${day.replaceAll('-', ':')} ${time}\0`, 'latin1');
  const exifAt = headerBytes + directoryBytes;
  const tiff = Buffer.concat([
    Buffer.from('MM\0*\0\0\0\u0008', 'latin1'),
    directory(entry(0x8769, long, 1, exifAt)),
    directory(entry(0x9003, ascii, taken.length, exifAt + exifBytes), entry(0x9291, ascii, fraction.length + 1, Buffer.from(`${fraction}\0`, 'latin1'))),
    taken,
  ]);
  const body = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), tiff]);
  const head = Buffer.from([0xff, 0xe1, 0, 0]);
  head.writeUInt16BE(body.length + 2, 2);
  // right behind the start of the picture, where readers look for it
  return Buffer.concat([jpeg.subarray(0, 2), head, body, jpeg.subarray(2)]);
}
