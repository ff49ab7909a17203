/** Takes user and password out of any address in a text. */
export function redact(text: string): string {
  return text.replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/'"]*@/giu, '$1***@');
}

const hints: readonly (readonly [RegExp, string])[] = [
  [/\b401\b|Unauthorized|authorization failed/iu, 'the camera refuses the user or password; check both in its own page'],
  [/\b403\b|Forbidden/iu, 'the camera forbids this user the stream; check its rights in the camera'],
  [/\b404\b/u, 'the camera knows no such path; check the path of the address'],
  [/Connection refused/iu, 'nothing listens at that address and port; check the port and whether RTSP is switched on'],
  [/No route to host|Network is unreachable|Host is unreachable/iu, 'the camera cannot be reached; check cable, power and address'],
  [/Name or service not known|Failed to resolve|Temporary failure in name resolution/iu, 'the name in the address is not known; check it or use the number'],
  [/timed out|Operation timed out/iu, 'the camera does not answer; check cable, power and address'],
  [/No such file or directory/iu, 'there is no such file; check the path'],
  [/Permission denied/iu, 'the file may not be read by this user; check its rights'],
  [/Invalid data found|moov atom not found/iu, 'this is no video that ffmpeg understands; check the source with another player'],
  [/matches no streams/iu, 'the source has no video, only other streams'],
];

/** What a technician should know of ffmpeg's last words: the hint, then the words themselves without passwords. */
export function explain(lastWords: readonly string[]): string | undefined {
  const text = redact(lastWords.join(' | ')).slice(0, 500);
  if (text === '') return undefined;
  const hint = hints.find(([pattern]) => pattern.test(text))?.[1];
  return hint === undefined ? text : `${hint} (ffmpeg: ${text})`;
}
