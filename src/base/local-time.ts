export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof weekdays)[number];

export interface LocalMoment {
  readonly weekday: Weekday;
  /** 0 to 1439. */
  readonly minuteOfDay: number;
}

/** Days and minutes as the clocks of a place show them. */
export class LocalTime {
  readonly #format: Intl.DateTimeFormat;

  /**
   * @param timezone IANA name, e.g. Asia/Shanghai
   * @throws RangeError for a name that is not known
   */
  constructor(timezone: string) {
    this.#format = new Intl.DateTimeFormat('en-GB', { timeZone: timezone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  }

  at(wallMs: number): LocalMoment {
    let minuteOfDay = 0;
    let weekday: Weekday = 'mon';
    for (const { type, value } of this.#format.formatToParts(wallMs)) {
      if (type === 'hour') minuteOfDay += Number(value) * 60;
      if (type === 'minute') minuteOfDay += Number(value);
      if (type === 'weekday') weekday = weekdays.find((day) => day === value.toLowerCase()) ?? weekday;
    }
    return { weekday, minuteOfDay };
  }
}
