import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import type { CloseReason } from '../../../src/events/close-reason.ts';
import { FairLoop } from '../../../src/delivery/fair-loop.ts';
import { Connections } from '../../../src/stream/connections.ts';
import { SocketWire } from '../../../src/stream/socket-wire.ts';
import { SseConnection } from '../../../src/stream/sse-connection.ts';
import { readClosing } from '../../support/closing.ts';
import { readChunks } from '../../support/raw-http.ts';

const [NEWS, ORDERS] = [parseChannelName('news'), parseChannelName('orders')];

/** The part of a socket that a stream uses. */
class StubSocket extends EventEmitter {
  written = '';
  readonly writableLength = 0;
  readonly #cost: () => void;

  /** `cost` runs at each write. */
  constructor(cost: () => void = () => undefined) {
    super();
    this.#cost = cost;
  }

  write(bytes: string | Buffer): boolean {
    this.#cost();
    this.written += bytes.toString();
    return true;
  }
  destroySoon(): void {
    this.emit('close');
  }
  destroy(): void {
    this.emit('close');
  }
}

const open: Connections[] = [];
afterEach(() => {
  for (const connections of open.splice(0)) connections.close();
});

function opened(): { connections: Connections; reasons: CloseReason[] } {
  const reasons: CloseReason[] = [];
  const connections = new Connections({
    loop: new FairLoop(),
    heartbeat: 15_000,
    stallTimeout: 30_000,
    retry: 2_000,
    maxAge: Infinity,
    maxConnections: Infinity,
    maxPerAddress: Infinity,
    maxPerSubject: Infinity,
    onClosed: (reason) => reasons.push(reason),
  });
  open.push(connections);
  return { connections, reasons };
}

function stream(connections: Connections, channel = NEWS, cost?: () => void): StubSocket {
  const socket = new StubSocket(cost);
  const options = {
    expiry: connections.expiry(Infinity),
    channels: channel,
    holder: undefined,
    heartbeatEvents: false,
  };
  connections.add(
    new SseConnection(new SocketWire(socket as unknown as Socket, true), connections, options),
    { address: '', subject: undefined },
    () => undefined,
  );
  return socket;
}

function busy(): void {
  for (const until = performance.now() + 1; performance.now() < until;);
}

describe('ending the streams that match', () => {
  test('ends them and no others, gives the reason, and gives each its own reconnection time', async () => {
    const { connections, reasons } = opened();
    const ended = Array.from({ length: 50 }, () => stream(connections));
    const others = Array.from({ length: 50 }, () => stream(connections, ORDERS));
    expect(await connections.endMatching(({ channels }) => channels === NEWS)).toBe(50);
    expect(connections.size).toBe(50);
    expect(reasons).toEqual(Array.from({ length: 50 }, () => 'disconnected'));
    expect(others.map(({ written }) => written).join('')).toBe('');
    for (const { written } of ended) expect(written).toMatch(/\r\n0\r\n\r\n$/);
    const retries = ended.map(({ written }) => readClosing(readChunks(`\r\n\r\n${written}`)).retry);
    expect(Math.min(...retries)).toBeGreaterThanOrEqual(1_000);
    expect(Math.max(...retries)).toBeLessThanOrEqual(3_000);
    expect(new Set(retries).size).toBeGreaterThan(25);
  });

  test('gives the event loop to other work in between, however many streams match', async () => {
    const { connections } = opened();
    for (let i = 0; i < 100; i++) stream(connections, NEWS, busy);
    let turns = 0;
    const turn = (): void => {
      turns++;
      if (connections.size > 0) setImmediate(turn);
    };
    setImmediate(turn);
    expect(await connections.endMatching(() => true)).toBe(100);
    // 100 ms of work, in slices of 8 ms.
    expect(turns).toBeGreaterThan(5);
  });

  test('terminates, also when each ended stream comes back at once', async () => {
    const { connections } = opened();
    for (let i = 0; i < 10; i++) stream(connections).on('close', () => stream(connections));
    expect(await connections.endMatching(() => true)).toBe(10);
    expect(connections.size).toBe(10);
  });

  test('returns 0 when no stream matches', async () => {
    expect(await opened().connections.endMatching(() => true)).toBe(0);
  });
});
