import { constants, deflateRawSync } from 'node:zlib';

/** The largest stored block (RFC 1951 §3.2.4). */
const MAX_STORED = 0xffff;
/**
 * An empty stored block. Go's reader holds bytes back until it comes, and compressed blocks end with it, too: it makes them
 * whole bytes, so that any block can follow any other.
 */
const SYNC = '\0\0\0\xff\xff';
/** The levels of zlib by the most bytes. A high one looks at so many places that more bytes could hold up the event loop. */
const LEVELS = [
  { upTo: 2 * 1024, level: 8 },
  { upTo: 8 * 1024, level: 6 },
] as const;
const QUICK_LEVEL = 3;

/** The head of a gzip body (RFC 1952 §2.3): no name, no time, an unknown system. One character a byte. */
export const GZIP_HEAD = '\x1f\x8b\b\0\0\0\0\0\0\xff';

/** A text of one character a byte as blocks that are not compressed; empty for an empty text. One character a byte. */
export function storedText(text: string): string {
  if (text === '') return '';
  let blocks = '';
  for (let at = 0; at < text.length; at += MAX_STORED) {
    const part = text.slice(at, at + MAX_STORED);
    blocks += storedHead(part.length) + part;
  }
  return blocks + SYNC;
}

/** Bytes as blocks that are not compressed. */
export function storedBlocks(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += MAX_STORED) {
    const part = bytes.subarray(at, at + MAX_STORED);
    parts.push(Buffer.from(storedHead(part.length), 'latin1'), part);
  }
  return Buffer.concat([...parts, Buffer.from(SYNC, 'latin1')]);
}

/**
 * Bytes as compressed blocks.
 * @param window the bytes right before them, to which the blocks may refer
 */
export function deflatedBlocks(bytes: Buffer, window?: Buffer): Buffer {
  // No larger tables than the bytes need: making the tables is most of the time for a small event.
  const reach = bytes.length + (window?.length ?? 0);
  const windowBits = Math.min(15, Math.max(10, Math.ceil(Math.log2(reach + 1))));
  return deflateRawSync(bytes, {
    ...(window === undefined || window.length === 0 ? {} : { dictionary: window }),
    finishFlush: constants.Z_SYNC_FLUSH,
    level: LEVELS.find(({ upTo }) => bytes.length <= upTo)?.level ?? QUICK_LEVEL,
    windowBits,
    memLevel: Math.min(8, windowBits - 6),
    chunkSize: Math.max(1024, bytes.length + 64),
  });
}

/** The last block, the checksum, and the number of bytes modulo 2^32 (RFC 1952 §2.3.1). One character a byte. */
export function gzipTail(crc: number, length: number): string {
  return `\x03\0${littleEndian(crc)}${littleEndian(length)}`;
}

function storedHead(length: number): string {
  const low = length & 0xff;
  const high = length >> 8;
  return String.fromCharCode(0, low, high, low ^ 0xff, high ^ 0xff);
}

function littleEndian(value: number): string {
  return String.fromCharCode(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
}
