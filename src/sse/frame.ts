import type { ChannelName } from '../core/channel-name.ts';
import type { EventId } from '../core/event.ts';
import type { LogTrouble } from '../core/log-trouble.ts';
import type { GapNotice } from '../core/subscription.ts';

const LINE_BREAKS = /\r\n|\r|\n/g;
const NEXT_LINE = '\ndata: ';
/** How much longer it is than a LF or a CR. */
const GROWTH = NEXT_LINE.length - 1;

/**
 * The wire form of what goes to an EventSource (WHATWG HTML §9.2.5 and §9.2.6). Pure: text or bytes out, nothing else.
 *
 * Whoever calls {@link encodeFields} has checked that the type holds no CR, LF or NUL: a line break in it would let a
 * publisher write fields of its own (CWE-93).
 */
export function encodeFields(type: string | undefined, data: string): string {
  const head = type === undefined ? '' : `event: ${type}\n`;
  // Each of CRLF, CR and LF ends a line for the reader, so each must begin a new data field.
  const hasBreaks = data.includes('\n') || data.includes('\r');
  const body = hasBreaks ? data.replaceAll(LINE_BREAKS, NEXT_LINE) : data;
  return `${head}data: ${body}\n\n`;
}

/**
 * Whether {@link encodeFields} makes no more than `limit` bytes of these data, without the first `data: ` and the blank line.
 * What it makes of a million line breaks is not made to find that out, and not all of them are looked at.
 */
export function fits(data: string, limit: number): boolean {
  // No character takes more room than a line break.
  if (data.length * NEXT_LINE.length <= limit) return true;
  let left = limit - Buffer.byteLength(data);
  let lf = data.indexOf('\n');
  let cr = data.indexOf('\r');
  while (left >= 0 && (lf >= 0 || cr >= 0)) {
    if (cr >= 0 && (lf < 0 || cr < lf)) {
      // In front of a LF it goes with it.
      left += lf === cr + 1 ? 1 : -GROWTH;
      cr = data.indexOf('\r', cr + 1);
    } else {
      left -= GROWTH;
      lf = data.indexOf('\n', lf + 1);
    }
  }
  return left >= 0;
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
