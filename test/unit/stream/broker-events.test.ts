import { createParser } from 'eventsource-parser';
import type { EventSourceMessage } from 'eventsource-parser';
import { describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import { parseEventId } from '../../../src/events/event.ts';
import type { EventId } from '../../../src/events/event.ts';
import { HEARTBEAT, encodeGap, encodeReady, encodeRetry } from '../../../src/stream/broker-events.ts';

const channel = parseChannelName('news');
const id = parseEventId('7-1') as EventId;

interface Read {
  readonly events: EventSourceMessage[];
  readonly comments: string[];
  readonly retries: number[];
}

function read(wire: string): Read {
  const found: Read = { events: [], comments: [], retries: [] };
  const parser = createParser({
    onEvent: (event) => found.events.push(event),
    onComment: (comment) => found.comments.push(comment),
    onRetry: (ms) => found.retries.push(ms),
    onError: (error) => {
      throw error;
    },
  });
  parser.feed(wire);
  return found;
}

describe("the broker's own events", () => {
  test('ready has a position as its id and in its data', () => {
    const wire = encodeReady({ [channel]: id }, id);
    expect(wire).toBe('id: 7-1\nevent: sluice:ready\ndata: {"channels":{"news":"7-1"}}\n\n');
  });

  test("a gap has the subscriber's own id, so that a reconnect gets the gap again", () => {
    expect(encodeGap({ channel, after: id, before: null }, id)).toBe(
      'id: 7-1\nevent: sluice:gap\ndata: {"channel":"news","after":"7-1","before":null}\n\n',
    );
  });

  test('a channel called __proto__ is an ordinary channel', () => {
    const wire = encodeReady(Object.fromEntries([[parseChannelName('__proto__'), id]]), id);
    expect(read(wire).events[0]?.data).toBe('{"channels":{"__proto__":"7-1"}}');
  });

  test('a heartbeat is a comment, which fires no event', () => {
    expect(HEARTBEAT).toBe(':\n');
    expect(read(HEARTBEAT)).toEqual({ events: [], comments: [''], retries: [] });
  });

  test('a retry is a whole number of ms, without a blank line', () => {
    expect(encodeRetry(1234.56)).toBe('retry: 1235\n');
    expect(read(encodeRetry(600_000))).toEqual({ events: [], comments: [], retries: [600_000] });
  });
});
