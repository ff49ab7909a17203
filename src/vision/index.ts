export type { CameraState, FoundPlate, Photograph, TrackReport, Vision, VisionHealth } from './types.js';
export { VisionClient, shippedModels, type VisionOptions } from './client.js';
export type { LaneCamera } from './protocol.js';
export { loadModels, type LoadOptions, type LoadedModels, type Models } from './models.js';
export { manifestSchema, readModelFiles, type Manifest } from './manifest.js';
export { Recognizer, readPlates, type DetectOptions, type ReadDetection } from './recognizer.js';
export { planLetterbox } from './letterbox.js';
export { decodePicture, readPicture, type PictureReading } from './picture.js';
export {
  recognizeFiles,
  type FailedResult,
  type PictureResult,
  type RecognizeOptions,
  type RecognizeResult,
  type ResultPlate,
  type ResultTimes,
  type VideoPlate,
  type VideoResult,
} from './recognize-files.js';
export { annotate } from './annotate.js';
export type { Image } from './image.js';
