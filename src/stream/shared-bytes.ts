/** Whole events as they are sent, encoded once for all subscribers. Nobody may change them. */
export interface SharedBytes {
  readonly plain: Buffer;
  /**
   * The same bytes as one chunk of HTTP/1.1 (RFC 9112 §7.1), in the same memory. Undefined for the end of a longer run,
   * because the memory before it holds other events: the connection then writes the chunk's head and end itself.
   */
  readonly chunk: Buffer | undefined;
  /** Where {@link plain} is the end of longer bytes: all of them. */
  readonly whole?: SharedBytes;
  /** The same bytes as gzip, once a stream has needed them. */
  gzip: GzipBytes | undefined;
}

/** Bytes as blocks of gzip that any stream may get. */
export interface GzipBytes {
  readonly blocks: SharedBytes;
  /** The bytes are compressed in segments of one size. Here each begins in the blocks. */
  readonly starts: readonly number[];
  /** The checksum of the bytes before compression, and the factor of their length (`crc-combining.ts`). */
  readonly crc: number;
  readonly factor: number;
}

/** The end of a chunk. */
export const CHUNK_END: Buffer = Buffer.from('\r\n');
/** The last chunk. A body without it is not complete. */
export const LAST_CHUNK = '0\r\n\r\n';

/** Returns the head of a chunk with this many bytes. */
export function chunkHead(length: number): string {
  return `${length.toString(16)}\r\n`;
}

/** Makes the bytes of a short text that one reader gets. */
export function asChunk(text: string, encoding?: 'latin1'): string {
  return `${chunkHead(Buffer.byteLength(text, encoding))}${text}\r\n`;
}

/** Makes the shared bytes. `write` has to write exactly `length` bytes into `target`, from `start` on. */
export function sharedBytes(
  length: number,
  write: (target: Buffer, start: number) => void,
): SharedBytes & { readonly chunk: Buffer } {
  const head = chunkHead(length);
  const end = head.length + length;
  const chunk = Buffer.allocUnsafeSlow(end + CHUNK_END.length);
  chunk.write(head, 'latin1');
  write(chunk, head.length);
  // Two stores cost less than a call to copy.
  chunk[end] = 0x0d;
  chunk[end + 1] = 0x0a;
  return { plain: chunk.subarray(head.length, end), chunk, gzip: undefined };
}
