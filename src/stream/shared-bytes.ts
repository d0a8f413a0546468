/** Whole events in wire form, made once for everybody who gets them. Not to be changed. */
export interface SharedBytes {
  readonly plain: Buffer;
  /**
   * The same as one chunk of HTTP/1.1 (RFC 9112 §7.1), in the same memory. Undefined for the end of a longer run, where
   * other events stand in front of the bytes: the chunk's head and end are then written beside them.
   */
  readonly chunk: Buffer | undefined;
}

/** What ends a chunk. */
export const CHUNK_END: Buffer = Buffer.from('\r\n');
/** The last chunk, without which a body is not whole. */
export const LAST_CHUNK = '0\r\n\r\n';

/** What begins a chunk of so many bytes. */
export function chunkHead(length: number): string {
  return `${length.toString(16)}\r\n`;
}

/** For a few bytes that one reader gets. */
export function asChunk(text: string): string {
  return `${chunkHead(Buffer.byteLength(text))}${text}\r\n`;
}

/** Bytes that `write` puts into the given memory from `start` on, exactly `length` of them. */
export function sharedBytes(
  length: number,
  write: (target: Buffer, start: number) => void,
): Required<SharedBytes> {
  const head = chunkHead(length);
  const end = head.length + length;
  const chunk = Buffer.allocUnsafeSlow(end + CHUNK_END.length);
  chunk.write(head, 'latin1');
  write(chunk, head.length);
  CHUNK_END.copy(chunk, end);
  return { plain: chunk.subarray(head.length, end), chunk };
}
