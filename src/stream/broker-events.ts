import type { ChannelName } from '../events/channel-name.ts';
import type { ClosingReason, EndReason, StreamRefusal } from '../events/close-reason.ts';
import type { LogTrouble } from '../events/log-trouble.ts';
import type { GapNotice } from '../delivery/sink.ts';

/** Why the broker ends a stream that may come back, or does not serve it now. */
type CloseCause = EndReason | StreamRefusal;

/** The reason as `sluice:closing` gives it. */
const CLOSING_REASON: Readonly<Record<CloseCause, ClosingReason>> = {
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

/** The id is the position before the gap, so that a reader that comes back with it gets the gap again. */
export function encodeGap({ channel, after, before }: GapNotice, position: string): string {
  return controlEvent('gap', { channel, after, before }, position);
}

/** @param channels the position in each channel */
export function encodeReady(channels: Readonly<Record<ChannelName, string>>, position: string): string {
  return controlEvent('ready', { channels }, position);
}

export function encodeEnd(channel: ChannelName, position: string): string {
  return controlEvent('end', { channel }, position);
}

/**
 * Says why the stream ends, and after how many ms the reader may come back: in `retry:` for an EventSource, and in the
 * data for other readers. Node's EventSource and some others honour `retry:` only in an event that has data.
 */
export function encodeClosing(reason: CloseCause, retry: number, cursor: string | undefined): string {
  const ms = Math.round(retry);
  return encodeRetry(ms) + controlEvent('closing', { reason: CLOSING_REASON[reason], retry: ms }, cursor);
}

/** A heartbeat that a page can see. `time`: epoch ms. */
export function encodeHeartbeat(time: number, cursor: string | undefined): string {
  return controlEvent('heartbeat', new Date(time).toISOString(), cursor);
}

/**
 * An event of the broker itself. It has the subscriber's position as its id, if there is one: at an event without an id,
 * some clients forget the id that they have, and resume from nowhere.
 */
function controlEvent(type: string, data: object | string, id: string | undefined): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return `${id === undefined ? '' : `id: ${id}\n`}event: sluice:${type}\ndata: ${text}\n\n`;
}

/** A comment for people who look at the stream; clients skip it. */
export function encodeWaiting(reason: LogTrouble): string {
  return `: waiting for the log (${reason})\n`;
}

/** Ends without a blank line: at an event without data some clients fire an empty message. */
export function encodeRetry(ms: number): string {
  return `retry: ${Math.round(ms)}\n`;
}

/** A comment that keeps proxies and clients from closing a silent stream. It ends without a blank line, as above. */
export const HEARTBEAT = ':\n';
