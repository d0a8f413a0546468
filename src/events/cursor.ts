import type { ChannelName } from './channel-name.ts';
import { parseEventId } from './event.ts';
import type { EventId } from './event.ts';

/**
 * Where a subscription begins in its channel (docs/protocol.md §4).
 * - `tail`: new events only
 * - `id`: after the last event that the subscriber saw
 * - `earliest`: with the first event that the channel ever had
 * - `last`: with the newest `count` events that are kept
 * - `time`: with the first event at or after that moment (epoch ms)
 * - `unreadable`: its cursor is not an id; it gets a gap, then new events
 */
export type Start =
  | { readonly from: 'tail' }
  | { readonly from: 'id'; readonly id: EventId }
  | { readonly from: 'earliest' }
  | { readonly from: 'last'; readonly count: number }
  | { readonly from: 'time'; readonly ms: number }
  | { readonly from: 'unreadable' };

/**
 * Reads a cursor from Last-Event-ID or from the query. Accepts any text, because a browser that gets an error status never
 * comes back.
 *
 * A cursor is an id, or a list of channels with an id each, `a@1-0,b@2-0`, as a connection with many channels will send. In
 * a list the id for `channel` counts. When the list does not name the channel, the subscriber starts at the tail.
 */
export function parseCursor(text: string, channel: ChannelName): Start {
  if (text === '') return { from: 'tail' };
  if (text === 'earliest') return { from: 'earliest' };
  if (!text.includes('@')) return startAfter(text);
  let own: Start = { from: 'tail' };
  for (const part of text.split(',')) {
    const at = part.indexOf('@');
    if (at <= 0 || parseEventId(part.slice(at + 1)) === undefined) return { from: 'unreadable' };
    if (part.slice(0, at) === channel) own = startAfter(part.slice(at + 1));
  }
  return own;
}

function startAfter(text: string): Start {
  const id = parseEventId(text);
  return id === undefined ? { from: 'unreadable' } : { from: 'id', id };
}
