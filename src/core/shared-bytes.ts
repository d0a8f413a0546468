import type { StoredEvent } from './event.ts';

/** Whole events in wire form, made once for everybody who gets them. Not to be changed. */
export interface SharedBytes {
  /** As they are. */
  readonly plain: Buffer;
  /**
   * The same as one chunk of HTTP/1.1 (RFC 9112 §7.1), in the same memory; undefined where there is no room for a chunk's
   * head in front of them: then head and end are written for themselves, which costs less than to copy so many bytes.
   */
  readonly chunk: Buffer | undefined;
}

/** What ends a chunk. */
export const CHUNK_END: Buffer = Buffer.from('\r\n');
/** The last chunk, without which a body is not whole. */
export const LAST_CHUNK = '0\r\n\r\n';

/** Up to so many bytes are copied to stand in one piece with the head of their chunk. */
const COPIED = 16 * 1024;

/** What begins a chunk of so many bytes. */
export function chunkHead(length: number): string {
  return `${length.toString(16)}\r\n`;
}

/** For a few bytes that one reader gets, or each of them now and then. */
export function asChunk(text: string): string {
  return `${chunkHead(Buffer.byteLength(text))}${text}\r\n`;
}

/** For bytes that are there already, as a part of something larger perhaps. */
export function withoutChunk(plain: Buffer): SharedBytes {
  return { plain, chunk: undefined };
}

/** The frames of these events behind each other. They may be kept: what is not large is no slice of something larger. */
export function joinFrames(events: readonly StoredEvent[]): SharedBytes {
  const [first] = events;
  if (first === undefined) return withoutChunk(Buffer.alloc(0));
  const { buffer } = first.frame;
  let length = 0;
  let inOnePiece = true;
  for (const { frame } of events) {
    inOnePiece &&= frame.buffer === buffer && frame.byteOffset === first.frame.byteOffset + length;
    length += frame.length;
  }
  if (length > COPIED) {
    if (events.length === 1) return withoutChunk(first.frame);
    // A page of the embedded log is one buffer already.
    if (inOnePiece && buffer.byteLength === length) return withoutChunk(Buffer.from(buffer));
  }
  const head = chunkHead(length);
  const end = head.length + length;
  const chunk = Buffer.allocUnsafeSlow(end + CHUNK_END.length);
  chunk.write(head, 'latin1');
  let start = head.length;
  for (const { frame } of events) start += frame.copy(chunk, start);
  CHUNK_END.copy(chunk, end);
  return { plain: chunk.subarray(head.length, end), chunk };
}
