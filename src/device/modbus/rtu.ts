/**
 * Modbus RTU on the wire, without transport. Sources: MODBUS Application Protocol V1.1b3 and MODBUS over Serial Line
 * V1.02 (modbus.org).
 */

/** Coils and discrete inputs hold bits, holding and input registers 16-bit values. */
export type Table = 'coil' | 'discrete' | 'holding' | 'input';

/** Function codes used here. */
export const functionCode = {
  readCoils: 0x01,
  readDiscreteInputs: 0x02,
  readHoldingRegisters: 0x03,
  readInputRegisters: 0x04,
  writeCoil: 0x05,
  writeRegister: 0x06,
  writeRegisters: 0x10,
} as const;

/** Most bits one read may ask for (Application Protocol 6.1). */
export const mostBits = 2_000;
/** Most registers one read may ask for (Application Protocol 6.3). */
export const mostRegisters = 125;

export function isRegister(table: Table): boolean {
  return table === 'holding' || table === 'input';
}

/** CRC-16/MODBUS: polynomial 0xA001 (reflected), start 0xFFFF; sent low byte first. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  }
  return crc;
}

/** True where the last two bytes are the checksum of all before them. */
export function hasValidCrc(frame: Uint8Array): boolean {
  const low = frame[frame.length - 2];
  const high = frame[frame.length - 1];
  if (low === undefined || high === undefined || frame.length < 4) return false;
  return crc16(frame.subarray(0, -2)) === (low | (high << 8));
}

/** A frame with address and checksum around function code and data. */
export function encodeFrame(unit: number, pdu: readonly number[]): Uint8Array {
  const body = Uint8Array.from([unit, ...pdu]);
  const crc = crc16(body);
  return Uint8Array.from([...body, crc & 0xff, crc >> 8]);
}

/**
 * Looks for the answer to `request` in what came over the line since it was sent. Line noise, other units' answers, an
 * adapter's echo of a read and damaged frames are passed over: a frame counts only with a valid checksum, and an answer
 * to a write only where it repeats the write. Undefined: not (yet) there.
 */
export function findReply(request: Uint8Array, received: Uint8Array): Uint8Array | undefined {
  const unit = request[0];
  const code = request[1];
  if (unit === undefined || code === undefined) return undefined;
  for (let at = 0; at + 5 <= received.length; at += 1) {
    if (received[at] !== unit) continue;
    const length = replyLength(request, received.subarray(at));
    if (length === undefined || at + length > received.length) continue;
    const frame = received.subarray(at, at + length);
    if (hasValidCrc(frame)) return frame;
  }
  return undefined;
}

/** Length of the frame that starts here if it answers the request; undefined where it does not. */
function replyLength(request: Uint8Array, from: Uint8Array): number | undefined {
  const code = request[1] ?? 0;
  if (from[1] === (code | 0x80)) return 5;
  if (from[1] !== code) return undefined;
  const count = ((request[4] ?? 0) << 8) | (request[5] ?? 0);
  switch (code) {
    case functionCode.readCoils:
    case functionCode.readDiscreteInputs: {
      const bytes = Math.ceil(count / 8);
      return from[2] === bytes ? 3 + bytes + 2 : undefined;
    }
    case functionCode.readHoldingRegisters:
    case functionCode.readInputRegisters:
      return from[2] === 2 * count ? 3 + 2 * count + 2 : undefined;
    default:
      break;
  }
  // FC05 and FC06 are answered by their own repetition, FC16 by its address and count.
  for (let index = 2; index < 6 && index < from.length; index += 1) {
    if (from[index] !== request[index]) return undefined;
  }
  return 8;
}

/**
 * Silence that must lie between two frames, ms: 3.5 characters of 11 bits, and 1.75 ms above 19,200 baud
 * (over Serial Line 2.5.1.1).
 */
export function silenceMs(baudRate: number): number {
  return baudRate > 19_200 ? 1.75 : (3.5 * 11 * 1_000) / baudRate;
}

/** True where the line repeats what is sent: some RS-485 adapters hear themselves. */
export function isEcho(request: Uint8Array, received: Uint8Array): boolean {
  return received.length >= request.length && request.every((byte, index) => received[index] === byte);
}

/** What an exception code of an answer means, and what to do (Application Protocol 7). */
export function exceptionText(code: number): string {
  switch (code) {
    case 1:
      return 'it does not know this function; choose the profile that fits the board';
    case 2:
      return 'it has no such address; check line and table';
    case 3:
      return 'it refuses the value or count; check line and table';
    case 4:
      return 'it reports an internal failure; power it off and on';
    case 6:
      return 'it is busy';
    default:
      return `it answers with exception ${code}`;
  }
}
