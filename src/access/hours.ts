import { weekdays, type LocalMoment, type Weekday } from '../base/index.js';

/** A daily window in minutes of the local day; `to` before `from` runs over midnight, `to` equal to `from` is all day. */
export interface HoursWindow {
  readonly from: number;
  readonly to: number;
}

/** Minutes of `HH:MM` up to 24:00, or undefined. */
export function minutesOf(text: string): number | undefined {
  const match = /^(\d{2}):([0-5]\d)$/u.exec(text);
  if (match === null) return undefined;
  const minutes = Number(match[1]) * 60 + Number(match[2]);
  return minutes <= 24 * 60 ? minutes : undefined;
}

/** True when the minute of the local day lies in the window; `from` is in, `to` is out. */
export function withinHours(minuteOfDay: number, { from, to }: HoursWindow): boolean {
  if (from === to) return true;
  return from < to ? minuteOfDay >= from && minuteOfDay < to : minuteOfDay >= from || minuteOfDay < to;
}

/** A window on certain days; one over midnight belongs to the day it begins on. Without days it is every day's. */
export interface DaysWindow extends HoursWindow {
  readonly days?: readonly Weekday[] | undefined;
}

/** True when the moment lies in one of the windows. */
export function withinWindows({ weekday, minuteOfDay }: LocalMoment, windows: readonly DaysWindow[]): boolean {
  const yesterday = weekdays[(weekdays.indexOf(weekday) + 6) % 7] ?? weekday;
  return windows.some((window) => {
    if (!withinHours(minuteOfDay, window)) return false;
    const overMidnight = window.from > window.to && minuteOfDay < window.to;
    return window.days?.includes(overMidnight ? yesterday : weekday) ?? true;
  });
}
