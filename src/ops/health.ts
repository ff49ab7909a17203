/** Worst last: a gate is as well as its worst part. */
const severities = ['ok', 'degraded', 'failed'] as const;
export type Severity = (typeof severities)[number];

/** What one room says about itself. */
export interface RoomHealth {
  /** Name for people, e.g. `lane entry`, `journal`, `device relays`. */
  readonly room: string;
  readonly state: Severity;
  /** What is wrong; absent where all is well. */
  readonly detail?: string;
  /** What a person can do about it. */
  readonly advice?: string;
}

export interface GateHealth {
  readonly state: Severity;
  /** One line for a person: the worst trouble, or that there is none. */
  readonly summary: string;
  /** Everything that is not well, worst first. */
  readonly troubles: readonly RoomHealth[];
  readonly rooms: readonly RoomHealth[];
}

/** Asks every room; a room that throws has failed, and never hides the others. */
export class HealthBoard {
  readonly #sources = new Map<string, () => Omit<RoomHealth, 'room'>>();

  /** @param source asked at every reading; must answer at once */
  add(room: string, source: () => Omit<RoomHealth, 'room'>): void {
    this.#sources.set(room, source);
  }

  remove(room: string): void {
    this.#sources.delete(room);
  }

  read(): GateHealth {
    const rooms = [...this.#sources].map(([room, source]): RoomHealth => {
      try {
        return { room, ...source() };
      } catch (error) {
        return { room, state: 'failed', detail: `it cannot say how it is: ${error instanceof Error ? error.message : String(error)}`, advice: 'Restart the service and send a support bundle.' };
      }
    });
    return collectHealth(rooms);
  }
}

/** Sums up what the rooms say. */
export function collectHealth(rooms: readonly RoomHealth[]): GateHealth {
  const troubles = rooms.filter((room) => room.state !== 'ok').sort((one, other) => rank(other.state) - rank(one.state));
  const worst = troubles[0];
  if (worst === undefined) return { state: 'ok', summary: 'All is well.', troubles, rooms };
  const more = troubles.length > 1 ? ` (and ${troubles.length - 1} more)` : '';
  const parts = [`${worst.room}: ${worst.detail ?? worst.state}${more}`, ...(worst.advice === undefined ? [] : [worst.advice])];
  return { state: worst.state, summary: parts.map((part) => part.replace(/\.$/u, '')).join('. ') + '.', troubles, rooms };
}

function rank(state: Severity): number {
  return severities.indexOf(state);
}
