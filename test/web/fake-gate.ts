import { GateError, type JsonObject } from '../../src/base/index.js';
import type { GatePort } from '../../src/web/index.js';

type Order = Parameters<GatePort['command']>[0];

/** A lane of the fake gate as `LaneView` would show it. */
export function laneView(lane: string, change: JsonObject = {}): JsonObject {
  return {
    lane,
    name: lane === 'exit' ? '东门出口' : '东门入口',
    direction: lane === 'exit' ? 'exit' : 'entry',
    boom: 'closed',
    boomPosition: 0,
    held: false,
    fire: false,
    sensors: { approach: 'off', closing: 'off', beam: 'off', openLimit: 'off', closedLimit: 'on' },
    visionAvailable: true,
    attention: [],
    passage: null,
    counts: { passages: 12, opened: 9, refused: 3 },
    ...change,
  };
}

/** A gate that does what the page asks and says so, without lanes, journal or broker behind it. */
export class FakeGate implements GatePort {
  readonly orders: Order[] = [];
  readonly lanes = new Map<string, JsonObject>([
    ['entry', laneView('entry')],
    ['exit', laneView('exit')],
  ]);
  readonly stored: JsonObject[] = [];
  readonly #listeners = new Set<(message: JsonObject) => void>();
  picture: Uint8Array | undefined;
  photographsTaken = 0;
  acknowledged = 0;
  startWallMs = Date.UTC(2026, 10, 23, 6, 0, 0);
  simulation = false;
  verifyJournal: () => Promise<JsonObject> = () => Promise.resolve({ checked: 0, brokenAt: null });

  status(): Promise<JsonObject> {
    return Promise.resolve({
      versions: { gate: '0.1.0' },
      site: { id: 'laurel', name: '月桂社区' },
      gate: { id: 'east', name: '东门' },
      uptimeS: 93_600,
      epoch: 4,
      wallMs: this.startWallMs,
      clockTrusted: true,
      simulation: this.simulation,
      lanes: [...this.lanes.values()],
      devices: [{ id: 'sim', driver: 'sim', state: 'ok' }],
      vision: { state: 'ok', restarts: 0, cameras: [{ lane: 'entry', camera: 'cam-1', state: 'live', framesPerSecond: 8, lastFrameAgeMs: 90 }] },
      journal: { head: this.stored.length, acknowledged: this.acknowledged },
      uplink: { state: 'connected' },
    });
  }

  events(query: Parameters<GatePort['events']>[0]): Promise<readonly JsonObject[]> {
    const fitting = this.stored.filter((event) => {
      const seq = Number(event['seq']);
      return seq > (query.after ?? 0) && seq < (query.before ?? Infinity) && (query.lane === undefined || event['lane'] === query.lane);
    });
    if (query.newestFirst) fitting.reverse();
    return Promise.resolve(fitting.slice(0, query.limit));
  }

  photograph(lane: string): Promise<Uint8Array | undefined> {
    this.photographsTaken += 1;
    return Promise.resolve(this.lanes.has(lane) ? this.picture : undefined);
  }

  evidence(id: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(id.startsWith('ab') ? this.picture : undefined);
  }

  command(order: Order): Promise<JsonObject> {
    if (!this.lanes.has(order.lane)) return Promise.reject(new GateError('LANE_UNKNOWN', `There is no lane ${order.lane}; this gate has ${[...this.lanes.keys()].join(', ')}.`));
    this.orders.push(order);
    const lane = this.lanes.get(order.lane);
    if (order.target === 'close' && JSON.stringify(lane?.['sensors']).includes('"closing":"on"')) {
      return Promise.reject(new GateError('COMMAND_REFUSED', 'The closing loop is occupied; the boom stays open until the vehicle has left.'));
    }
    this.record('command.done', order.lane, null, { id: order.id, target: order.target, issuer: order.issuer, reason: order.reason });
    if (order.target === 'open') this.show(order.lane, { boom: 'open', boomPosition: 1 });
    return Promise.resolve({ state: 'done' });
  }

  onLive(listener: (message: JsonObject) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  say(message: JsonObject): void {
    for (const listener of this.#listeners) listener(message);
  }

  /** Changes a lane and tells the page. */
  show(lane: string, change: JsonObject): void {
    const view = { ...this.lanes.get(lane), ...change };
    this.lanes.set(lane, view);
    this.say({ kind: 'lane', ...view });
  }

  /** Journals an event and tells the page. */
  record(type: string, lane: string | null, passage: string | null, payload: JsonObject): JsonObject {
    const seq = this.stored.length + 1;
    const event = {
      id: `east-4-${seq}`,
      epoch: 4,
      seq,
      type,
      lane,
      passage,
      wallMs: this.startWallMs + seq * 1_700,
      monoMs: seq * 1_700,
      clockTrusted: true,
      payload,
      previousHash: '0'.repeat(64),
      hash: '0'.repeat(64),
    };
    this.stored.push(event);
    this.say({ kind: 'event', ...event });
    return event;
  }

  get listeners(): number {
    return this.#listeners.size;
  }
}
