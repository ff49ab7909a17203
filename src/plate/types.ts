/** Ground colour of a plate as a camera sees it. Two-row plates are told apart by `PlateRows`. */
export type PlateColour = 'blue' | 'green' | 'yellow' | 'white' | 'black';

export type PlateRows = 1 | 2;

/** Plate types of GA 36-2018 and its amendments, and the older ones still met at a gate. */
export type PlateType =
  | 'small-car'
  | 'large-car'
  | 'new-energy-small'
  | 'new-energy-large'
  | 'police'
  | 'learner'
  | 'trailer'
  | 'hong-kong'
  | 'macau'
  | 'embassy'
  | 'consulate'
  | 'military'
  | 'armed-police'
  | 'emergency'
  | 'motorcycle'
  | 'low-speed'
  | 'temporary';

declare const plateTextBrand: unique symbol;
/** A plate in normal form that the grammar accepts, e.g. `京QM86H8`; made by `parsePlate`, checked by `isPlateText`. */
export type PlateText = string & { readonly [plateTextBrand]: true };

export interface Plate {
  readonly text: PlateText;
  /** Every type whose pattern fits; a blue and a yellow plate share one pattern, so there can be several. */
  readonly types: readonly PlateType[];
}

/** One plate seen in one picture. */
export interface PlateRead {
  readonly text: PlateText;
  /** Calibrated: of reads with 0.99, 99 in 100 are right. */
  readonly confidence: number;
  /** Per character, in reading order, each 0 to 1. */
  readonly characters: readonly number[];
  readonly colour: PlateColour;
  readonly rows: PlateRows;
}
