/** One key press as the terminal sends it: a letter, or an escape sequence such as `\u001b[A`. */
export type Key = string;

export const ctrlC = '\u0003';

/** What a terminal gives of a keyboard; `process.stdin` fits it. */
export interface KeySource {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
  setEncoding(encoding: 'utf8'): unknown;
  resume(): unknown;
  pause(): unknown;
  on(event: 'data', listener: (text: string) => void): unknown;
  off(event: 'data', listener: (text: string) => void): unknown;
  on(event: 'end' | 'close', listener: () => void): unknown;
  off(event: 'end' | 'close', listener: () => void): unknown;
}

/**
 * Reads keys one by one until `stop`, which gives the terminal back as it was. A keyboard that goes away (the SSH
 * session has dropped) is told as Ctrl+C.
 */
export function readKeys(source: KeySource, onKey: (key: Key) => void): () => void {
  const onData = (text: string): void => {
    // A paste or a slow line brings several at once; an escape sequence stays one.
    for (const key of text.match(/\u001b\[[0-9;]*[A-Za-z~]|[\s\S]/gu) ?? []) onKey(key);
  };
  const onEnd = (): void => onKey(ctrlC);
  const raw = source.isTTY === true;
  if (raw) source.setRawMode?.(true);
  source.setEncoding('utf8');
  source.on('data', onData);
  source.on('end', onEnd);
  source.on('close', onEnd);
  source.resume();
  return () => {
    source.off('data', onData);
    source.off('end', onEnd);
    source.off('close', onEnd);
    if (raw) source.setRawMode?.(false);
    source.pause();
  };
}
