import type { EventData } from '../messages.js';
import type { Words } from './en.js';

/** When an event was, and how sure that is. */
export interface EventTime {
  /** ms since 1970. */
  readonly wallMs: number;
  /** `known` when it happened; `corrected` afterwards, `~`; `unknown`, `?`: as the gate believed then. */
  readonly sure: 'known' | 'corrected' | 'unknown';
  /** ` `, `~` or `?`, one column. */
  readonly mark: string;
  /** What a person should know of it; empty where the time was known. */
  readonly note: string;
}

/** The time to show for an event. @param format how a time is written, for the bounds of one that is not known */
export function timeOfEvent(event: EventData, words: Words, format: (wallMs: number) => string): EventTime {
  const { wallMs, clockTrusted, correctedWallMs, wallNotBeforeMs, wallNotAfterMs } = event;
  if (clockTrusted) return { wallMs, sure: 'known', mark: ' ', note: '' };
  if (correctedWallMs !== undefined) return { wallMs: correctedWallMs, sure: 'corrected', mark: '~', note: words.events.timeCorrected(format(wallMs)) };
  const bounds = [wallNotBeforeMs === undefined ? undefined : words.events.notBefore(format(wallNotBeforeMs)), wallNotAfterMs === undefined ? undefined : words.events.notAfter(format(wallNotAfterMs))];
  return { wallMs, sure: 'unknown', mark: '?', note: [words.events.timeUnknown, ...bounds].filter((part) => part !== undefined).join(' ') };
}
