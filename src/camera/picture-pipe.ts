/** Makes frames of the bytes that an ffmpeg writes. */
export interface PicturePipe {
  /** Throws `CAMERA_SOURCE_INVALID` when the bytes are not what was asked for. */
  push(chunk: Uint8Array): void;
  /** Forgets a half-received picture, after its writer died. */
  reset(): void;
}
