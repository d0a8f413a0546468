import type { ChannelName } from '../core/channel-name.ts';
import type { ClosingReason, EndReason, RefuseReason } from '../core/close-reason.ts';
import type { EventId } from '../core/event.ts';
import type { LogTrouble } from '../core/log-trouble.ts';
import type { GapNotice } from '../core/sink.ts';

/** Why a stream ends that may come back, or is not served now. */
type CloseCause = EndReason | RefuseReason;

/** What a reader is told of it. */
const TOLD: Readonly<Record<CloseCause, ClosingReason>> = {
  drained: 'draining',
  draining: 'draining',
  aged: 'age',
  expired: 'expired',
  disconnected: 'disconnected',
  limit: 'limit',
  'ip-limit': 'address-limit',
  'subject-limit': 'subject-limit',
  'failed-authentication': 'failed-authentication',
  keys: 'keys',
};

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

/** Its id is what the reader had seen before, so that one who comes back with it is told again. */
export function encodeGap({ channel, after, before }: GapNotice, position: EventId): string {
  return controlEvent('gap', { channel, after, before }, position);
}

export function encodeReady(channel: ChannelName, position: EventId): string {
  return controlEvent('ready', { channels: { [channel]: position } }, position);
}

/**
 * Why the stream ends, and in how many ms its reader may come back: said as `retry:` for an EventSource, which honours it only in a
 * block that has data, if it is Node's or one of several others; and in the data for whoever reads them.
 */
export function encodeClosing(reason: CloseCause, retry: number, cursor: EventId | undefined): string {
  const ms = Math.round(retry);
  return encodeRetry(ms) + controlEvent('closing', { reason: TOLD[reason], retry: ms }, cursor);
}

/** For pages that want to see that the stream is alive. `time`: epoch ms. */
export function encodeHeartbeat(time: number, cursor: EventId | undefined): string {
  return controlEvent('heartbeat', new Date(time).toISOString(), cursor);
}

/**
 * An event of the broker's own. Without an id some clients forget the one they have, and begin anew when they come back; so each has
 * one if there is any.
 */
function controlEvent(type: string, data: object | string, id: EventId | undefined): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return `${id === undefined ? '' : `id: ${id}\n`}event: sluice:${type}\ndata: ${text}\n\n`;
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
export const HEARTBEAT = ':\n';
