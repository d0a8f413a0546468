import { once } from 'node:events';
import { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import { FairLoop } from '../../../src/delivery/fair-loop.ts';
import { Connections } from '../../../src/stream/connections.ts';
import type { ConnectionsOptions, StreamHolder } from '../../../src/stream/connections.ts';
import { SocketWire } from '../../../src/stream/socket-wire.ts';
import { SseConnection } from '../../../src/stream/sse-connection.ts';

const open: Connections[] = [];
afterEach(() => {
  for (const connections of open.splice(0)) connections.close();
});

function connectionsWith(options: Partial<ConnectionsOptions>): Connections {
  const connections = new Connections({
    loop: new FairLoop(),
    heartbeat: 15_000,
    stallTimeout: 30_000,
    retry: 2_000,
    maxAge: Infinity,
    maxConnections: Infinity,
    maxPerAddress: Infinity,
    maxPerSubject: Infinity,
    onClosed: () => undefined,
    ...options,
  });
  open.push(connections);
  return connections;
}

function draw(one: () => number): { least: number; most: number } {
  const drawn = Array.from({ length: 2_000 }, one);
  return { least: Math.min(...drawn), most: Math.max(...drawn) };
}

describe('random times are spread over the whole of their range', () => {
  test.each([
    ['a retry', { retry: 2_000 }, 1_000, 3_000],
    ['the shortest retry, which clients must be able to take', { retry: 500 }, 500, 750],
    ['the longest retry, which clients must be able to take', { retry: 600_000 }, 300_000, 600_000],
  ])('%s', (_what, options, least, most) => {
    const connections = connectionsWith(options);
    const drawn = draw(() => connections.jitteredRetry());
    const slack = (most - least) / 10;
    expect(drawn.least).toBeGreaterThanOrEqual(least);
    expect(drawn.least).toBeLessThan(least + slack);
    expect(drawn.most).toBeLessThanOrEqual(most);
    expect(drawn.most).toBeGreaterThan(most - slack);
  });

  test('the retry of a refused stream: 5 to 15 s', () => {
    const drawn = draw(() => connectionsWith({}).jitteredBackoff());
    expect(drawn.least).toBeGreaterThanOrEqual(5_000);
    expect(drawn.most).toBeLessThanOrEqual(15_000);
  });

  test('the maximum age, plus or minus a fifth', () => {
    const connections = connectionsWith({ maxAge: 10_000_000 });
    const from = performance.now();
    const drawn = draw(() => connections.expiry(Infinity).at);
    expect(drawn.least - from).toBeGreaterThanOrEqual(8_000_000);
    expect(drawn.most - performance.now()).toBeLessThanOrEqual(12_000_000);
    expect(connectionsWith({}).expiry(Infinity).at).toBe(Infinity);
  });
});

describe("a stream ends at its maximum age or at its token's expiry, whichever comes first", () => {
  test.each([
    ['a token before the age', 3_600_000, 60_000, 'expired'],
    ['an age before the token', 60_000, 3_600_000, 'aged'],
    ['a token, and no age', Infinity, 60_000, 'expired'],
    ['an age, and a token that does not expire', 60_000, Infinity, 'aged'],
  ])('%s', (_what, maxAge, left, reason) => {
    const { at, reason: given } = connectionsWith({ maxAge }).expiry(Date.now() + left);
    expect(given).toBe(reason);
    const least = Math.min(left, maxAge * 0.8);
    expect(at - performance.now()).toBeGreaterThan(least - 1_000);
    expect(at - performance.now()).toBeLessThan(72_001);
  });
});

test('a drain without streams ends at once, and new streams are refused from then on', async () => {
  const connections = connectionsWith({});
  expect(connections.refusal(holder('a'))).toBeUndefined();
  await connections.drain(3_600_000);
  expect(connections.refusal(holder('a'))).toBe('draining');
});

function holder(address: string, subject?: string): StreamHolder {
  return { address, subject };
}

describe('a client at its limit of streams is refused until one of them is closed', () => {
  test.each<
    [
      by: string,
      options: Partial<ConnectionsOptions>,
      reason: string,
      same: StreamHolder,
      other: StreamHolder,
    ]
  >([
    ['address', { maxPerAddress: 2 }, 'ip-limit', holder('a', 'of others'), holder('b', 's')],
    ['subject', { maxPerSubject: 2 }, 'subject-limit', holder('elsewhere', 's'), holder('a', 't')],
    ['no subject', { maxPerSubject: 2 }, 'none', holder('a'), holder('b')],
  ])('by %s', async (_by, options, reason, same, other) => {
    const connections = connectionsWith(options);
    const sockets = [new Socket(), new Socket()];
    for (const socket of sockets) {
      expect(connections.refusal(same)).toBeUndefined();
      connections.add(
        new SseConnection(new SocketWire(socket, true), connections, {
          expiry: connections.expiry(Infinity),
          channels: parseChannelName('news'),
          holder: undefined,
          heartbeatEvents: false,
        }),
        holder('a', 's'),
        () => undefined,
      );
    }
    expect(connections.refusal(same) ?? 'none').toBe(reason);
    expect(connections.refusal(other)).toBeUndefined();
    const [first] = sockets;
    if (first !== undefined) await once(first.destroy(), 'close');
    expect(connections.refusal(same)).toBeUndefined();
  });
});
