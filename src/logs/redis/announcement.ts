import { Buffer } from 'node:buffer';
import { parseEventId } from '../../core/event.ts';
import type { EventId, StoredEvent } from '../../core/event.ts';

const LF = 10;
const DASH = 45;
const ZERO = 48;
const NINE = 57;
const ID = Buffer.from('id: ');
/** Digits that any number of so many makes a 64-bit one. */
const SAFE_DIGITS = 19;

/**
 * Reads what append.lua announces: the predecessor's id, LF, then the event as it goes to the sockets. Undefined for what
 * no broker has written: whoever has the right can publish anything there.
 */
export function parseAnnouncement(message: Buffer): StoredEvent | undefined {
  const prevEnd = message.indexOf(LF);
  const idStart = prevEnd + 1 + ID.length;
  const idEnd = message.indexOf(LF, idStart);
  if (prevEnd < 0 || idEnd < 0) return undefined;
  if (message.compare(ID, 0, ID.length, prevEnd + 1, idStart) !== 0) return undefined;
  if (message.at(-1) !== LF || message.at(-2) !== LF) return undefined;
  const prev = idAt(message, 0, prevEnd);
  const id = idAt(message, idStart, idEnd);
  if (prev === undefined || id === undefined) return undefined;
  return { prev, id, frame: ownBytes(message.subarray(prevEnd + 1)) };
}

/** As parseEventId, which takes ten times as long because it makes text of the parts. */
function idAt(bytes: Buffer, start: number, end: number): EventId | undefined {
  let dash = -1;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte === DASH && dash < 0) dash = i;
    else if (byte < ZERO || byte > NINE) return undefined;
  }
  const ms = dash - start;
  const seq = end - dash - 1;
  if (dash < 0 || ms < 1 || seq < 1) return undefined;
  const leading = (ms > 1 && bytes[start] === ZERO) || (seq > 1 && bytes[dash + 1] === ZERO);
  if (leading) return undefined;
  if (ms > SAFE_DIGITS + 1 || seq > SAFE_DIGITS + 1) return undefined;
  const text = bytes.toString('latin1', start, end);
  return ms > SAFE_DIGITS || seq > SAFE_DIGITS ? parseEventId(text) : (text as EventId);
}

/**
 * The frame of an event, in memory of its own. What arrives is a window on the socket's read buffer, and small Buffers
 * of Node's are windows on a shared one: keeping one event would keep all of it.
 */
export function ownBytes(...parts: readonly Buffer[]): Buffer {
  let size = 0;
  for (const { length } of parts) size += length;
  const own = Buffer.allocUnsafeSlow(size);
  let at = 0;
  for (const part of parts) at += part.copy(own, at);
  return own;
}
