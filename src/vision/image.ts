/** Pixels as every step of vision takes them: RGB, 8 bits each, rows from the top without padding. */
export interface Image {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}
