/** Whole events in wire form, made once and shared by all their readers. Must not be changed. */
export interface SharedBytes {
  readonly plain: Buffer;
  /**
   * The same as one chunk of HTTP/1.1 (RFC 9112 §7.1), in the same memory. Undefined for the end of a longer run, where
   * other events stand in front of the bytes: the chunk's head and end are then written beside them.
   */
  readonly chunk: Buffer | undefined;
}

/** The end of a chunk. */
export const CHUNK_END: Buffer = Buffer.from('\r\n');
/** The last chunk. Without it a body is incomplete. */
export const LAST_CHUNK = '0\r\n\r\n';

/** Returns the head of a chunk with this many bytes. */
export function chunkHead(length: number): string {
  return `${length.toString(16)}\r\n`;
}

/** Makes the bytes of a short text that one reader gets. */
export function asChunk(text: string): string {
  return `${chunkHead(Buffer.byteLength(text))}${text}\r\n`;
}

/** Makes bytes with a function that writes exactly `length` bytes from `start` on. */
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
