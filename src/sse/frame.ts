import type { ChannelName } from '../core/channel-name.ts';
import type { EventId } from '../core/event.ts';
import type { LogTrouble } from '../core/log-trouble.ts';
import type { GapNotice } from '../core/subscription.ts';

const LF = 0x0a;
const CR = 0x0d;
const LINE_BREAK = /[\r\n]/;
const LINE_BREAKS = /\r\n|\r|\n/g;
const NEXT_LINE = '\ndata: ';

/**
 * The wire form of what goes to an EventSource (WHATWG HTML §9.2.5 and §9.2.6). Pure: text or bytes out, nothing else.
 *
 * Whoever calls {@link encodeFields} has checked that the type holds no CR, LF or NUL: a line break in it would let a
 * publisher write fields of its own (CWE-93).
 */
export function encodeFields(type: string | undefined, data: string): string {
  const head = type === undefined ? '' : `event: ${type}\n`;
  // Each of CRLF, CR and LF ends a line for the reader, so each must begin a new data field.
  const body = LINE_BREAK.test(data) ? data.replaceAll(LINE_BREAKS, NEXT_LINE) : data;
  return `${head}data: ${body}\n\n`;
}

/**
 * How many bytes {@link encodeFields} makes of these data, without the first `data: ` and the blank line. An estimate from
 * above where that is within `limit`, which it is for all but very long data: then nothing is counted.
 */
export function deliveredLength(data: string, limit: number): number {
  const most = data.length * NEXT_LINE.length;
  if (most <= limit) return most;
  let length = Buffer.byteLength(data);
  for (let at = 0; at < data.length; at++) {
    const unit = data.charCodeAt(at);
    if (unit === LF) length += NEXT_LINE.length - 1;
    // In front of a LF it goes with it.
    else if (unit === CR) length += data.charCodeAt(at + 1) === LF ? -1 : NEXT_LINE.length - 1;
  }
  return length;
}

/** Has no id: a client that reconnects after it must come back with the cursor it had. */
export function encodeGap({ channel, after, before }: GapNotice): Buffer {
  return Buffer.from(`event: sluice:gap\ndata: ${JSON.stringify({ channel, after, before })}\n\n`);
}

export function encodeReady(channel: ChannelName, position: EventId): Buffer {
  const data = JSON.stringify({ channels: { [channel]: position } });
  return Buffer.from(`id: ${position}\nevent: sluice:ready\ndata: ${data}\n\n`);
}

/** For whoever looks at the stream itself: a comment, which no client takes for an event. */
export function encodeWaiting(reason: LogTrouble): string {
  return `: waiting for the log (${reason})\n`;
}

/** No blank line after it: a block without data makes some clients fire an empty message. */
export function encodeRetry(ms: number): string {
  return `retry: ${Math.round(ms)}\n`;
}

/** A comment that keeps proxies and clients from giving up; no blank line, for the same reason. */
export const HEARTBEAT: Buffer = Buffer.from(':\n');
