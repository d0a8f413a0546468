import { crc32 } from 'node:zlib';
import type { EventId } from '../events/event.ts';
import type { EventRun, RunView } from '../events/event-run.ts';
import type { Compressor } from './compressor.ts';
import { EVENT_FRAMES } from './event-frames.ts';
import { LiveBlocks, SHORT_WINDOW } from './live-blocks.ts';
import type { LivePoint } from './live-blocks.ts';
import type { SharedBytes } from './shared-bytes.ts';

/** DEFLATE refers to no more than this. */
const MAX_WINDOW = 32 * 1024;
/** A window holds some runs of the size of the last one. */
const RUNS_IN_WINDOW = 4;
/** The window of a channel grows with its readers. A long one makes the blocks smaller, and each compression dearer. */
const BYTES_PER_READER = 64;

/**
 * The live events of one channel as gzip. Each run is compressed once for all streams, and may refer to the runs right before
 * it: the window. There is no compressor with a state. The window is given to each compression as a dictionary, so a run refers
 * to nothing that is older. That is why a reader who came later, or who got bytes of its own in between, gets the same blocks
 * as all others as soon as it has as many bytes as the window.
 */
export class GzipChannel implements RunView<LiveBlocks> {
  /** Streams with gzip on this channel. */
  connections = 0;
  readonly #compressor: Compressor;
  /** The id up to which {@link #point} goes. */
  #to: EventId | undefined;
  #point: LivePoint = { position: 0, crc: 0 };
  #window = Buffer.alloc(0);
  /** How many bytes at the start of {@link #window} are filled. */
  #filled = 0;

  constructor(compressor: Compressor) {
    this.#compressor = compressor;
  }

  /** To be called once for each run that the live streams get, in their order. */
  encode(run: EventRun): LiveBlocks {
    const frames = run.as(EVENT_FRAMES);
    const { plain } = frames;
    // While no stream had gzip, the channel may have moved on.
    if (run.from !== this.#to) this.#restart();
    this.#to = run.to;
    const before = this.#point;
    const after = { position: before.position + plain.length, crc: crc32(plain, before.crc) };
    this.#point = after;
    const blocks = this.#compress(before, after, frames);
    this.#remember(plain);
    return blocks;
  }

  /** Frees the window. */
  close(): void {
    this.#compressor.takeWindow(-this.#window.length);
    this.#window = Buffer.alloc(0);
    this.#restart();
  }

  #restart(): void {
    this.#to = undefined;
    this.#point = { position: 0, crc: 0 };
    this.#filled = 0;
  }

  #compress(before: LivePoint, after: LivePoint, frames: SharedBytes): LiveBlocks {
    const { plain } = frames;
    const compressor = this.#compressor;
    const readers = this.connections;
    const compress = compressor.grants(plain.length, readers);
    const reach = compress ? Math.min(this.#filled, this.#windowFor(plain.length)) : 0;
    const window = this.#window.subarray(this.#filled - reach, this.#filled);
    const blocks = compress ? compressor.compress(plain, window) : compressor.store(plain);
    const recent = Buffer.from(window.subarray(-SHORT_WINDOW));
    return new LiveBlocks({ before, after, frames, blocks, reach, recent, compressor, readers });
  }

  #remember(plain: Buffer): void {
    this.#grow(this.#windowFor(plain.length));
    const room = this.#window.length;
    const kept = Math.max(0, Math.min(this.#filled, room - plain.length));
    this.#window.copyWithin(0, this.#filled - kept, this.#filled);
    this.#filled = kept + plain.copy(this.#window, kept, Math.max(0, plain.length - room));
  }

  #grow(size: number): void {
    const more = size - this.#window.length;
    if (more <= 0 || !this.#compressor.takeWindow(more)) return;
    const window = Buffer.allocUnsafeSlow(size);
    this.#window.copy(window, 0, 0, this.#filled);
    this.#window = window;
  }

  #windowFor(length: number): number {
    const wanted = Math.max(length * RUNS_IN_WINDOW, this.connections * BYTES_PER_READER);
    let size = SHORT_WINDOW;
    while (size < MAX_WINDOW && size < wanted) size *= 2;
    return size;
  }
}
