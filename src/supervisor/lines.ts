import type { Socket } from 'node:net';

/** No message is longer; whoever sends more speaks another language. */
const longestLine = 262_144;

/**
 * Calls back for every line a socket brings.
 * @param tooLong told once where a line does not end; nothing is read from then on
 */
export function onLines(socket: Socket, take: (line: string) => void, tooLong: () => void): void {
  let rest = '';
  let deaf = false;
  socket.setEncoding('utf8').on('data', (part: string) => {
    if (deaf) return;
    const lines = (rest + part).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
    if (rest.length <= longestLine) return;
    deaf = true;
    tooLong();
  });
}

/** JSON of a line; undefined where it is none. */
export function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

export function sendLine(socket: Socket, message: object): void {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}
