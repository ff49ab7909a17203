export type { Plate, PlateColour, PlateRead, PlateRows, PlateText, PlateType } from './types.js';
