import type { JsonObject } from '../../src/base/index.js';
import { AccessRepository, type AccessRequest, type AccessRules, type AccessStore } from '../../src/access/index.js';
import { parsePlate } from '../../src/plate/index.js';

/** Wednesday 2026-07-01 10:00 in Shanghai. */
export const TEN = Date.parse('2026-07-01T10:00:00+08:00');
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

export const rules = (changes: Partial<AccessRules> = {}): AccessRules => ({
  openingConfidence: 0.9,
  lookAlike: { enabled: true, leastConfidence: 0.8 },
  spaces: 3,
  outside: { policy: 'refuse' },
  exit: 'free',
  antiPassback: false,
  households: [
    { id: 'h1', name: '1-101', spaces: 1, plates: ['京A11111', '京AD22222'] },
    { id: 'h2', spaces: 2, plates: ['沪B33333'], lanes: ['north'] },
    { id: 'h3', name: 'night shift', spaces: 1, plates: ['粤C44444'], hours: { from: '20:00', to: '08:00' } },
    { id: 'h4', name: 'until May', spaces: 1, plates: ['浙D55555'], validFrom: '2026-01-01T00:00:00+08:00', validUntil: '2026-06-01T00:00:00+08:00' },
  ],
  visitors: [
    { plate: '苏E66666', from: '2026-07-01T08:00:00+08:00', until: '2026-07-01T12:00:00+08:00', note: 'plumber' },
    { plate: '苏E77777', from: '2026-06-01T08:00:00+08:00', until: '2026-06-01T12:00:00+08:00' },
    { plate: '苏E88877', from: '2026-07-01T08:00:00+08:00', until: '2026-07-01T12:00:00+08:00', lanes: ['north'] },
  ],
  blocked: [{ plate: '皖F99999', reason: 'damaged the boom' }],
  emergency: [{ plate: '京G12312', note: 'ambulance of the clinic' }],
  ...changes,
});

export const request = (plate: string | null, changes: Partial<AccessRequest> & { confidence?: number } = {}): AccessRequest => {
  const { confidence = 0.99, ...rest } = changes;
  const seen = plate === null ? {} : { plate: { ...parsePlate(plate), colour: 'blue' as const, confidence } };
  return { laneId: 'south', direction: 'entry', wallMs: TEN, ...seen, ...rest };
};

/** A store that keeps what it is told, like the journal over a restart. */
export class MemoryStore implements AccessStore {
  readonly rows = new Map<string, JsonObject>();
  remember(key: string, value: JsonObject): Promise<void> {
    this.rows.set(key, value);
    return Promise.resolve();
  }
  recallAll(prefix: string): Promise<ReadonlyMap<string, JsonObject>> {
    return Promise.resolve(new Map([...this.rows].filter(([key]) => key.startsWith(prefix))));
  }
  forget(key: string): Promise<void> {
    this.rows.delete(key);
    return Promise.resolve();
  }
}

export function estate(changes: Partial<AccessRules> = {}, store: AccessStore = new MemoryStore()): AccessRepository {
  return new AccessRepository({ rules: rules(changes), timezone: 'Asia/Shanghai', store });
}

let passages = 0;
/** Decides, and if admitted (or `byHand`) drives the vehicle in or out. */
export async function drive(gate: AccessRepository, plate: string | null, direction: 'entry' | 'exit', wallMs = TEN, byHand = false): Promise<string> {
  const asked = request(plate, { direction, wallMs });
  const decision = gate.decide(asked);
  const through = decision.outcome === 'admit' || byHand;
  const end = through ? (direction === 'entry' ? 'entered' : 'exited') : 'refused';
  passages += 1;
  await gate.recordPassage({ plate: asked.plate?.text, direction, end, wallMs, passage: `p${passages}`, lane: asked.laneId });
  return decision.rule;
}
