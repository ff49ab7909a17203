import { bestGrammatical, type PlateColour, type PlateRead, type PlateRows, type PlateText, type SlotCandidate } from '../plate/index.js';
import type { Reading } from './read.js';

/** A character the reader did not name at all still has this much of a chance: one bad picture must not veto. */
const leastProbability = 1e-3;
/** Pictures of one approach err alike, so each further agreeing read tells less than the one before. */
const repetitionDiscount = 0.6;
/**
 * A third of the mistakes is made again in the next pictures: dirt, a bent frame, a D that looks like a 0. However many
 * pictures agree, so much of the doubt of the surest of them remains; the more where another text was read well too.
 */
const lastingDoubt = 0.35;
/** So many of the surest pictures: one lucky among poor ones proves little. */
const surestPictures = 3;
/** A vote less sure than this is not decisive, however many pictures agree. */
const decisiveConfidence = 0.96;
/** From here a single read counts as good. */
const goodConfidence = 0.7;
/** No single picture is trusted further than this, however sure the reader is. */
const mostSingleConfidence = 0.995;
const mostConfidence = 0.999;

interface Support {
  /** Calibrated confidences of the surest reads of this text, highest first. */
  confidences: number[];
  evidence: number;
}

export interface VoteResult {
  readonly read: PlateRead;
  /** Reads that went into the vote. */
  readonly reads: number;
  readonly decisive: boolean;
}

/** Further reads of one text add next to nothing to its evidence; a car parked for days must not fill the memory. */
const mostKept = 8;

function evidenceOf(confidences: readonly number[]): number {
  return confidences.reduce((sum, confidence, rank) => sum - Math.log(1 - Math.min(confidence, mostSingleConfidence)) * repetitionDiscount ** rank, 0);
}

/** @param rivalConfidence of the surest read of another text: what one picture took for a B as surely may still be one */
function doubtThatLasts({ confidences }: Support, rivalConfidence: number): number {
  const surest = confidences.slice(0, surestPictures);
  const unsure = 1 - surest.reduce((sum, confidence) => sum + confidence, 0) / surest.length;
  return lastingDoubt * (rivalConfidence < goodConfidence ? unsure : Math.min(1, unsure / (1 - Math.min(rivalConfidence, mostSingleConfidence))));
}

/**
 * The vote over the reads of one vehicle. The text comes from the log-likelihoods per slot, weighted by each read's
 * calibrated confidence, and then the grammar; its confidence comes from how many whole reads agree and disagree.
 */
export class PlateVote {
  /** Per slot: sum over reads of weight * (log p - log leastProbability), by character. */
  readonly #slots: Map<string, number>[] = [];
  readonly #support = new Map<PlateText, Support>();
  readonly #colours = new Map<PlateColour, number>();
  readonly #rows = new Map<PlateRows, number>();
  #weight = 0;
  #reads = 0;
  #result: VoteResult | undefined;

  /** Takes a reading in; one without a text counts for nothing. */
  add({ read, slots }: Reading): void {
    if (read === undefined) return;
    const weight = Math.max(0.02, read.confidence) ** 2;
    this.#reads += 1;
    this.#weight += weight;
    for (const [at, candidates] of slots.entries()) {
      const sums = (this.#slots[at] ??= new Map<string, number>());
      for (const { char, p } of candidates) {
        if (p > leastProbability) sums.set(char, (sums.get(char) ?? 0) + weight * Math.log(p / leastProbability));
      }
    }
    const support = this.#support.get(read.text) ?? { confidences: [], evidence: 0 };
    support.confidences = [...support.confidences, read.confidence].sort((a, b) => b - a).slice(0, mostKept);
    support.evidence = evidenceOf(support.confidences);
    this.#support.set(read.text, support);
    this.#colours.set(read.colour, (this.#colours.get(read.colour) ?? 0) + weight);
    this.#rows.set(read.rows, (this.#rows.get(read.rows) ?? 0) + weight);
    this.#result = undefined;
  }

  get reads(): number {
    return this.#reads;
  }

  /** Undefined while nothing readable was seen. */
  result(): VoteResult | undefined {
    if (this.#reads === 0) return undefined;
    this.#result ??= this.#count();
    return this.#result;
  }

  #count(): VoteResult | undefined {
    // as sharp as three perfect reads at most: beyond that, probabilities only underflow
    const sharpness = Math.min(this.#weight, 3) / this.#weight;
    const best = bestGrammatical(this.#slots.map((sums) => distribution(sums, sharpness)));
    if (best === undefined) return undefined;
    const own = this.#support.get(best.text);
    let rival = 0;
    let rivalConfidence = 0;
    for (const [text, support] of this.#support) {
      if (text === best.text) continue;
      rival = Math.max(rival, support.evidence);
      rivalConfidence = Math.max(rivalConfidence, ...support.confidences);
    }
    // a text no single picture showed whole is a guess, however well its characters fit together
    const confidence = own === undefined ? best.product * 0.5 : 1 - Math.max(Math.exp(-Math.max(0, own.evidence - rival)), doubtThatLasts(own, rivalConfidence));
    const read: PlateRead = {
      text: best.text,
      confidence: Math.min(mostConfidence, confidence),
      characters: best.characters,
      colour: heaviest(this.#colours, 'blue'),
      rows: heaviest(this.#rows, 1),
    };
    return { read, reads: this.#reads, decisive: own !== undefined && isDecisive(own, rival, rivalConfidence, read.confidence) };
  }
}

/**
 * Either three pictures agree and nothing comes near, or two agree that are each as good as certain and nothing else
 * was read with any conviction. One picture never decides, however lucky.
 */
function isDecisive(own: Support, rival: number, rivalConfidence: number, confidence: number): boolean {
  if (confidence < decisiveConfidence) return false;
  const certain = own.confidences.filter((each) => each >= 0.99).length;
  if (certain >= 2 && rivalConfidence < 0.5) return true;
  const good = own.confidences.filter((each) => each >= goodConfidence).length;
  return good >= 3 && rival <= 0.35 * own.evidence;
}

function distribution(sums: ReadonlyMap<string, number>, sharpness: number): SlotCandidate[] {
  const highest = Math.max(0, ...sums.values());
  const raw = [...sums].map(([char, sum]) => ({ char, p: Math.exp((sum - highest) * sharpness) }));
  const total = raw.reduce((sum, { p }) => sum + p, 0);
  return raw.map(({ char, p }) => ({ char, p: p / total })).sort((a, b) => b.p - a.p);
}

function heaviest<T>(weights: ReadonlyMap<T, number>, otherwise: T): T {
  let best = otherwise;
  let most = 0;
  for (const [value, weight] of weights) {
    if (weight > most) {
      best = value;
      most = weight;
    }
  }
  return best;
}

/** Characters that differ, position by position; a missing one counts. */
export function differingCharacters(a: string, b: string): number {
  const left = Array.from(a);
  const right = Array.from(b);
  let count = Math.abs(left.length - right.length);
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) if (left[at] !== right[at]) count += 1;
  return count;
}
