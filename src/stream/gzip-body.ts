import { crc32 } from 'node:zlib';
import type { EventRun } from '../events/event-run.ts';
import { SEGMENT_BYTES } from './compressor.ts';
import type { Compressor } from './compressor.ts';
import { combineCrc, crcFactor } from './crc-combining.ts';
import { GZIP_HEAD, gzipTail, storedText } from './deflate-blocks.ts';
import { GzipChannel } from './gzip-channel.ts';
import type { LivePoint } from './live-blocks.ts';
import type { SharedBytes } from './shared-bytes.ts';

/** Those who get the same bytes: the streams of a channel, or of a set of channels. */
export interface Audience {
  readonly connections: number;
}

const NOBODY: Audience = { connections: 0 };

/** Blocks that a stream shares with others. */
export interface SharedBlocks extends SharedBytes {
  /** Blocks of the stream's own, to be sent before; one character a byte. */
  readonly own?: string;
}

/**
 * The body of one stream as gzip (RFC 1952). It holds no compressor: blocks that all streams share and blocks of its own follow
 * each other. It only knows the checksum and the length of what it has sent, for the end of the body.
 *
 * While the stream gets live runs only, it notes just the place that it has reached. The checksum of all live runs of the channel
 * then gives that of its own part.
 */
export class GzipBody {
  /** Nobody as long as the stream has only its first text. */
  audience: Audience = NOBODY;
  readonly #compressor: Compressor;
  #crc = 0;
  #length = 0;
  /** The live runs from here up to {@link #upTo} are not yet in the checksum. They were the last bytes of the stream. */
  #since: LivePoint | undefined;
  #upTo: LivePoint | undefined;

  constructor(compressor: Compressor) {
    this.#compressor = compressor;
  }

  /** The head of the body, and its first text. */
  begin(text: string): string {
    return GZIP_HEAD + this.text(text);
  }

  /** A text of this stream alone. It is never compressed, and never in a window, because it may hold secrets of its reader. */
  text(text: string): string {
    const bytes = Buffer.from(text, 'latin1');
    const blocks = storedText(text);
    this.#add(crc32(bytes), bytes.length, crcFactor(bytes.length), blocks.length);
    return blocks;
  }

  /** @param live the run, when these are all of its bytes and all live streams of the channel get it */
  shared(bytes: SharedBytes, live: EventRun | undefined): SharedBlocks {
    const { audience } = this;
    if (live !== undefined && audience instanceof GzipChannel) return this.#live(live, audience);
    const { whole } = bytes;
    if (whole !== undefined) return this.#endOf(whole, bytes.plain);
    const { blocks, crc, factor } = this.#compressor.alone(bytes, audience.connections);
    this.#add(crc, bytes.plain.length, factor, blocks.plain.length);
    return blocks;
  }

  /** The last text, if any, and the end of the body. */
  end(text: string): string {
    const last = this.text(text);
    return last + gzipTail(this.#crc, this.#length);
  }

  #live(run: EventRun, channel: GzipChannel): SharedBlocks {
    const live = run.as(channel);
    const { before, after } = live;
    if (this.#since === undefined || this.#upTo !== before) {
      this.#settle();
      this.#since = before;
    }
    this.#upTo = after;
    const blocks = live.blocksAfter(before.position - this.#since.position);
    this.#count(live.length, blocks.plain.length);
    return blocks;
  }

  /** The part of a run that this reader misses. Its first bytes are not compressed, up to the next segment of the run. */
  #endOf(whole: SharedBytes, plain: Buffer): SharedBlocks {
    const { blocks, starts } = this.#compressor.alone(whole, this.audience.connections);
    const skipped = whole.plain.length - plain.length;
    const segment = Math.ceil(skipped / SEGMENT_BYTES);
    const own = storedText(plain.toString('latin1', 0, segment * SEGMENT_BYTES - skipped));
    const rest = blocks.plain.subarray(starts[segment] ?? blocks.plain.length);
    this.#add(crc32(plain), plain.length, crcFactor(plain.length), own.length + rest.length);
    return { plain: rest, chunk: undefined, own, gzip: undefined };
  }

  #add(crc: number, length: number, factor: number, sent: number): void {
    this.#settle();
    this.#crc = combineCrc(this.#crc, crc, factor);
    this.#length = (this.#length + length) | 0;
    this.#count(length, sent);
  }

  #settle(): void {
    if (this.#since === undefined || this.#upTo === undefined) return;
    const length = this.#upTo.position - this.#since.position;
    // The checksum of all runs up to the place, without what came before this stream's part.
    this.#crc = combineCrc(this.#crc ^ this.#since.crc, this.#upTo.crc, crcFactor(length));
    this.#length = (this.#length + length) | 0;
    this.#since = undefined;
    this.#upTo = undefined;
  }

  #count(plain: number, sent: number): void {
    const { figures } = this.#compressor;
    figures.plainBytes += plain;
    figures.sentBytes += sent;
  }
}
