import type { Compressor } from './compressor.ts';
import type { SharedBytes } from './shared-bytes.ts';

/** A place between two live runs of a channel. Readers at the same place have the same object. */
export interface LivePoint {
  /** Bytes of frames since the first point. */
  readonly position: number;
  /** The checksum of these bytes. */
  readonly crc: number;
}

/** The window for readers who came lately. */
export const SHORT_WINDOW = 2 * 1024;

export interface LiveBlocksOptions {
  readonly before: LivePoint;
  readonly after: LivePoint;
  readonly frames: SharedBytes;
  /** The frames in blocks that may refer to the `reach` bytes before them. */
  readonly blocks: SharedBytes;
  readonly reach: number;
  /** The last of these bytes, {@link SHORT_WINDOW} at most. */
  readonly recent: Buffer;
  readonly compressor: Compressor;
  readonly readers: number;
}

/** A live run of a channel as blocks of gzip, in three forms at most. Only the first is always made. */
export class LiveBlocks {
  readonly before: LivePoint;
  readonly after: LivePoint;
  readonly #options: LiveBlocksOptions;
  #near: SharedBytes | undefined;

  constructor(options: LiveBlocksOptions) {
    this.before = options.before;
    this.after = options.after;
    this.#options = options;
  }

  /** Bytes of the frames. */
  get length(): number {
    return this.#options.frames.plain.length;
  }

  /** The blocks for readers that have got this many bytes of frames right before, and nothing in between. */
  blocksAfter(bytes: number): SharedBytes {
    const { reach, blocks, recent, frames, compressor, readers } = this.#options;
    if (bytes >= reach) return blocks;
    if (bytes < SHORT_WINDOW) return compressor.alone(frames, readers).blocks;
    return (this.#near ??= compressor.compress(frames.plain, recent));
  }
}
