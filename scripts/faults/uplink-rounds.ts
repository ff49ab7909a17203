import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../src/base/index.js';
import { ReferencePlatform } from '../../src/uplink/index.js';
import { ArrivalOrder } from './arrival-order.js';
import { GateKeeper } from './gate-keeper.js';
import { Mosquitto } from './mosquitto.js';
import { MqttProxy, type Rule } from './mqtt-proxy.js';
import { seeded, shuffledForEver, whole } from './random.js';
import { PATIENCE_MS, pause, uplinkFaults, type UplinkFault, type UplinkFaultKind, type UplinkWorld } from './uplink-faults.js';
import { killPoints } from './uplink-messages.js';
import { NumberBook, addVerdicts, judge, sideBySide, type RecordVerdict } from './verdict.js';
import { buildVictim } from './victim.js';

export interface UplinkRoundsOptions {
  /** One fault each. */
  readonly rounds: number;
  readonly seed: number;
  /** Gates that are maltreated side by side; 6 where omitted. */
  readonly sideBySide?: number;
  /** Rounds of one gate before it is drained and judged; every kind once where omitted. */
  readonly segmentRounds?: number;
  /** Only these, again and again; all where omitted. */
  readonly kinds?: readonly [UplinkFaultKind, ...UplinkFaultKind[]];
  /** A line that lies, one for each gate: to show that the judge sees it. Not with faults that play with packets themselves. */
  readonly liar?: () => Liar;
  readonly onProgress?: (done: number, of: number) => void;
}

export interface Liar {
  readonly rule: Rule;
  /** Whether it has done what it is there for. */
  readonly done: () => boolean;
}

export interface UplinkRoundsResult extends RecordVerdict {
  readonly rounds: number;
  /** Processes the gates were. */
  readonly lives: number;
}

const isKind = (text: string): text is UplinkFaultKind => text in uplinkFaults;
/** Kinds that a campaign of a hundred rounds or more has to have met. */
export const uplinkFaultKinds: readonly [UplinkFaultKind, ...UplinkFaultKind[]] = ['broker-killed', ...Object.keys(uplinkFaults).filter(isKind).filter((kind) => kind !== 'broker-killed')];

const NEXT_SEED = 1_000_003;
const MEETS_ALL_ROUNDS = 100;
const SITE = 'faults';
const GATE = 'victim';
const DRAIN_MS = 120_000;
/** Of so many lives one speaks MQTT 3.1.1. */
const OLD_PROTOCOL_EVERY = 4;
/** So many rounds also see the gate die. */
const DIES_TOO = 0.2;
const BOX_MS = 40_000;

/**
 * Maltreats gates that go on working: one fault of the line, the broker, the platform, the clock or the process itself per
 * round, at random times, some while the process is killed besides. After a segment of rounds the faults end, the gate is
 * let drain, and what its writers were told is held against the ledger of a platform that has its own way to the broker.
 * What is chosen depends on the seed alone.
 */
export async function runUplinkRounds({ rounds, seed, sideBySide: most = 6, segmentRounds = uplinkFaultKinds.length, kinds = uplinkFaultKinds, liar, onProgress }: UplinkRoundsOptions): Promise<UplinkRoundsResult> {
  const directory = mkdtempSync(join(tmpdir(), 'laurel-faults-'));
  const segments = Array.from({ length: Math.ceil(rounds / segmentRounds) }, (_, index) => ({
    seed: seed + index * NEXT_SEED,
    rounds: Math.min(segmentRounds, rounds - index * segmentRounds),
    directory: join(directory, String(index)),
  }));
  let done = 0;
  let lives = 0;
  try {
    const program = await buildVictim('uplink-child.ts');
    const verdicts = await sideBySide(segments, most, async (segment) => {
      const run = new UplinkSegment({
        ...segment,
        program,
        kinds,
        liar,
        onRound: () => {
          done += 1;
          onProgress?.(done, rounds);
        },
      });
      const verdict = await run.run();
      lives += run.lives;
      return verdict;
    });
    const total = addVerdicts(verdicts);
    const never = rounds < MEETS_ALL_ROUNDS ? [] : kinds.filter((kind) => total.faults[kind] === undefined).map((kind) => `${kind} never happened in a whole campaign`);
    return { rounds, lives, ...total, violations: [...total.violations, ...never] };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** These kill the gate themselves, or want one that remembers. */
function diesNotBesides(kind: UplinkFaultKind): boolean {
  return kind.startsWith('killed') || kind.startsWith('clock') || kind === 'client-id-fought-over';
}

interface SegmentOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly directory: string;
  readonly program: string;
  readonly kinds: readonly [UplinkFaultKind, ...UplinkFaultKind[]];
  readonly liar: (() => Liar) | undefined;
  readonly onRound: () => void;
}

/** What a gate's writers were told, as its processes wrote it down. */
interface Told {
  /** Number of an event, and its sequence. */
  readonly events: ReadonlyMap<number, number>;
  /** The gate let go of everything up to here. */
  readonly letGo: number;
  readonly verifiedFrom: number;
  readonly brokenAt: number;
  readonly drained: boolean;
  readonly refused: readonly string[];
}

/** One gate, from its first start to the judgement. */
class UplinkSegment {
  readonly #options: SegmentOptions;
  readonly #random: () => number;
  readonly #faults: Record<string, number> = {};
  readonly #violations: string[] = [];
  readonly #books = new Map<string, NumberBook>();
  readonly #order = new ArrivalOrder();
  #boxes = 0;
  #lives = 0;

  constructor(options: SegmentOptions) {
    this.#options = options;
    this.#random = seeded(options.seed);
  }

  get lives(): number {
    return this.#lives;
  }

  async run(): Promise<RecordVerdict> {
    const { directory, rounds, program, kinds, liar, onRound } = this.#options;
    const random = this.#random;
    mkdirSync(directory, { recursive: true });
    const broker = await Mosquitto.start({ directory });
    const proxy = await MqttProxy.to(broker.port);
    proxy.onHandedOver = (packet, connection) => this.#order.sawPacket(packet, connection.number);
    const packs = random() < 0.5;
    const platform = new ReferencePlatform({
      url: broker.url,
      log: silentLog,
      reconnectMs: 20,
      ...(packs ? { accepts: { encodings: ['gzip'], batchEvents: 4 } } : {}),
      onEvent: ({ gate }, event, historical) => {
        this.#bookOf(gate).enter(event.payload.number, event.seq);
        if (gate === GATE) this.#order.arrived(event.seq, historical);
      },
    });
    const told = this.#toldFile(GATE);
    const oldAt = whole(random, 0, OLD_PROTOCOL_EVERY - 1);
    const keeper = new GateKeeper({
      program,
      settings: { directory: join(directory, 'data'), site: SITE, gate: GATE, told, url: proxy.url },
      protocolOf: (life) => (life % OLD_PROTOCOL_EVERY === oldAt ? '3.1.1' : '5'),
      onMishap: (text) => this.#violations.push(text),
    });
    const world: UplinkWorld = { proxy, broker, platform, keeper, site: SITE, gate: GATE, random, secondBox: () => this.#secondBox(broker, platform) };
    const next = shuffledForEver(kinds, random);
    const lie = liar?.();
    try {
      await platform.start();
      proxy.rule = lie?.rule;
      keeper.start();
      for (let round = 1; round <= rounds; round += 1) {
        await this.#round(next.next().value, world, round);
        onRound();
      }
      if (lie !== undefined && !(await keeper.until(lie.done, PATIENCE_MS))) this.#violations.push('the line did not get to lie');
      if (!(await keeper.finish(DRAIN_MS))) this.#violations.push(`the gate did not drain its backlog within ${DRAIN_MS / 1_000} s: ${JSON.stringify(keeper.news)}`);
      return this.#judge(platform, this.#read(told));
    } finally {
      this.#lives += keeper.lives;
      await keeper.stop();
      await platform.stop();
      proxy.stop();
      await broker.kill();
    }
  }

  async #round(kind: UplinkFaultKind, world: UplinkWorld, round: number): Promise<void> {
    const { keeper, random } = world;
    const { protocol, run }: UplinkFault = uplinkFaults[kind];
    await pause(whole(random, 0, 250));
    if (protocol !== undefined && keeper.protocol !== protocol && !(await keeper.restart({ protocol }, PATIENCE_MS))) this.#violations.push(`round ${round}, ${kind}: the gate did not start anew`);
    const dies = protocol === undefined && !diesNotBesides(kind) && random() < DIES_TOO;
    const point = killPoints[whole(random, 1, killPoints.length - 1)] ?? 'time';
    const fault = run(world);
    // What the line does may keep the gate from its point; then it dies as soon as it can.
    const death = dies ? keeper.die({ point, countdown: point === 'time' ? 1 : whole(random, 1, 6), delayMs: whole(random, 0, 20) }, PATIENCE_MS) : Promise.resolve(true);
    const [cameAbout, died] = await Promise.all([fault, death]);
    if (cameAbout) this.#count(kind);
    else this.#violations.push(`round ${round}, ${kind}${dies ? ` and death at ${point}` : ''}: did not come about, or the gate did not get over it: ${JSON.stringify(keeper.news)}`);
    if (dies && died) this.#count(`killed-at-${point}`);
    if (!died) this.#violations.push(`round ${round}, ${kind}: the gate did not get to "${point}" any more: ${JSON.stringify(keeper.news)}`);
  }

  /**
   * A box that was replaced is switched on again, or a card was copied: two gates with one id, one journal in common and then
   * each its own. Their numbers collide by nature; both have to notice, and neither may let go of an event that the platform
   * does not have.
   */
  async #secondBox(broker: Mosquitto, platform: ReferencePlatform): Promise<boolean> {
    this.#boxes += 1;
    const gate = `boxes-${this.#boxes}`;
    const { directory, program } = this.#options;
    const box = (name: string, firstLife: number): GateKeeper =>
      new GateKeeper({
        program,
        settings: { directory: join(directory, gate, name), site: SITE, gate, told: this.#toldFile(`${gate}-${name}`), url: broker.url },
        firstLife,
        protocolOf: () => '5',
        onMishap: (text) => this.#violations.push(`${gate}: ${text}`),
      });
    const original = box('one', 1);
    const boxes = [box('one', 10), box('other', 20)];
    try {
      original.start();
      const worked = await original.until(() => (original.news?.acknowledged ?? 0) > 10, BOX_MS);
      await original.stop();
      if (!worked) return false;
      cpSync(join(directory, gate, 'one'), join(directory, gate, 'other'), { recursive: true });
      for (const one of boxes) one.start();
      const noticed = await original.until(() => boxes.every(({ news }) => typeof news?.duplicate === 'string'), BOX_MS);
      await pause(whole(this.#random, 0, 500));
      if (!noticed) return false;
    } finally {
      for (const one of [original, ...boxes]) await one.stop();
    }
    const conflicting = new Set(platform.ledger(SITE, gate).conflicting);
    const { numbers } = this.#bookOf(gate);
    for (const name of ['one', 'other']) {
      const { events, letGo } = this.#read(this.#toldFile(`${gate}-${name}`));
      const silent = [...events].filter(([number, seq]) => seq <= letGo && numbers.get(number) !== seq && !conflicting.has(seq));
      if (silent.length > 0) this.#violations.push(`${gate}: box ${name} let go of ${silent.length} events that the platform does not have, and nobody knows`);
    }
    return true;
  }

  #toldFile(name: string): string {
    const path = join(this.#options.directory, `told-${name}`);
    appendFileSync(path, '');
    return path;
  }

  #bookOf(gate: string): NumberBook {
    const book = this.#books.get(gate) ?? new NumberBook();
    this.#books.set(gate, book);
    return book;
  }

  #count(kind: string): void {
    this.#faults[kind] = (this.#faults[kind] ?? 0) + 1;
  }

  #read(path: string): Told {
    const events = new Map<number, number>();
    const refused: string[] = [];
    let letGo = 0;
    let verifiedFrom = 1;
    let brokenAt = 0;
    let drained = false;
    for (const [kind, first = '', second = ''] of readFileSync(path, 'utf8').split('\n').slice(0, -1).map((line) => line.split(' '))) {
      if (kind === 'event') events.set(Number(first), Number(second));
      else if (kind === 'refused') refused.push(second);
      else if (kind === 'let-go') letGo = Math.max(letGo, Number(first));
      else if (kind === 'verified') brokenAt = Number(second);
      else if (kind === 'oldest') verifiedFrom = Number(first);
      else if (kind === 'drained') drained = true;
    }
    return { events, letGo, verifiedFrom, brokenAt, drained, refused };
  }

  #judge(platform: ReferencePlatform, { events, brokenAt, drained, refused, verifiedFrom }: Told): RecordVerdict {
    const { seed, rounds } = this.#options;
    const ledger = platform.ledger(SITE, GATE);
    const blamed = this.#order.blamed(ledger.reordered);
    const { lostNumbers, swaps, ...verdict } = judge(events, this.#bookOf(GATE), { ...ledger, reordered: blamed });
    const total = { ...verdict, chainBroken: verdict.chainBroken + (brokenAt === 0 ? 0 : 1) };
    if (events.size === 0) this.#violations.push('no event was ever told to be on record');
    if (!drained) this.#violations.push('the gate did not end in order');
    if (brokenAt > 0) this.#violations.push(`the gate's own chain is broken at ${brokenAt}`);
    if (refused.length > 0) this.#violations.push(`${refused.length} events were refused by the journal: ${[...new Set(refused)].join(', ')}`);
    this.#violations.push(...swaps);
    if (lostNumbers.length > 0) this.#violations.push(`${lostNumbers.length} events that were told to be on record are lost, number ${lostNumbers[0]} first`);
    if (blamed.length > 0) this.#violations.push(`${blamed.length} events came out of order: ${blamed.slice(0, 2).map((seq) => this.#order.explain(seq)).join('; ')}`);
    if (ledger.missing.length > 0) this.#violations.push(`the platform misses ${JSON.stringify(ledger.missing.slice(0, 5))}, and nobody has said so`);
    if (ledger.conflicting.length > 0) this.#violations.push(`numbers were given twice: ${ledger.conflicting.slice(0, 5).join(', ')}`);
    if (ledger.chainBroken.length > 0) this.#violations.push(`the chain at the platform is broken at ${ledger.chainBroken.slice(0, 5).join(', ')}`);
    if (platform.faults > 0) this.#violations.push(`${platform.faults} messages do not fit the contract`);
    if (this.#faults['killed-at-delete'] !== undefined && verifiedFrom <= 1) this.#violations.push('nothing was ever deleted at the gate, so nothing can have been deleted too early');
    const replay = `npm run faults -- --only uplink --seed ${seed} --rounds ${rounds}`;
    return { ...total, faults: this.#faults, violations: this.#violations.map((violation) => `${violation} (${replay})`) };
  }
}
