import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterExit } from '../../test/support/after-exit.ts';
import { findProgram } from '../../test/support/find-program.ts';
import { startLocalRedis } from '../../test/support/local-redis.ts';
import { centrifugoPeer } from '../peers/centrifugo-peer.ts';
import { mercurePeer } from '../peers/mercure-peer.ts';
import { nchanPeer } from '../peers/nchan-peer.ts';
import { usesRedis } from '../peers/peer.ts';
import type { LogKind, Peer } from '../peers/peer.ts';
import type { ServerProcess } from '../peers/server-process.ts';
import { sluicePeer } from '../peers/sluice-peer.ts';
import { fill } from './system.ts';
import type { Page, System, SystemNode, SystemSource, SystemWire } from './system.ts';

/** How long a node may take to end after SIGTERM, in ms. Then it is killed, as service managers do. */
const TERMINATE_LIMIT_MS = 20_000;
/** How long a node that listens may take until it opens streams, in ms. */
const READY_LIMIT_MS = 15_000;
const READY_POLL_MS = 50;
/** How long to wait for the head of an answer, in ms. */
const SILENT_MS = 500;

interface PeerSystem {
  readonly name: string;
  readonly peer: Peer;
  readonly log: LogKind;
  readonly settings: string;
  readonly promise: string;
  /** What differs from a server that resumes by Last-Event-ID and says nothing about missing events. */
  readonly traits?: Partial<SystemWire>;
  /** The header for the key of a publish. */
  readonly keyHeader?: string;
}

export interface PeerPrograms {
  readonly mercure: string | undefined;
  readonly mercure1: string | undefined;
  readonly centrifugo: string | undefined;
}

/** The systems that the torture can start by itself. */
export function peerSystems({ mercure, mercure1, centrifugo }: PeerPrograms): readonly SystemSource[] {
  const sluice = {
    peer: sluicePeer('sluice', resolve(import.meta.dirname, '../..')),
    promise: 'Last-Event-ID. Each event once and in order, or `sluice:gap`. `Idempotency-Key`',
    traits: { gapEvents: ['sluice:gap'], endEvents: ['sluice:end'] },
    keyHeader: 'Idempotency-Key',
  };
  const mercureHub = {
    log: 'disk',
    settings: 'Bolt, `size 1000`',
    promise: 'Last-Event-ID replays the history',
  } as const;
  const centrifugoServer = {
    peer: centrifugoPeer(centrifugo),
    promise: 'The page recovers by a new URL, or is told. `idempotency_key`',
    traits: {
      page: (channel: string) => new CentrifugoPage(channel),
      publishBody: '{"channel":"{channel}","data":"{data}","idempotency_key":"{key}"}',
    },
  };
  const nchan = { peer: nchanPeer, promise: 'Last-Event-ID replays the buffer' };
  const systems: readonly PeerSystem[] = [
    { ...sluice, name: 'sluice', log: 'memory', settings: 'defaults' },
    { ...sluice, name: 'sluice-disk', log: 'disk', settings: '`SLUICE_DATA_DIR`' },
    { ...sluice, name: 'sluice-redis', log: 'redis2', settings: 'two nodes, Redis' },
    { ...mercureHub, name: 'mercure', peer: mercurePeer(mercure) },
    { ...mercureHub, name: 'mercure-1', peer: mercurePeer(mercure1, { version: '1' }) },
    { ...centrifugoServer, name: 'centrifugo', log: 'memory', settings: 'history and recovery of 1,000' },
    { ...centrifugoServer, name: 'centrifugo-redis', log: 'redis2', settings: 'the same, two nodes, Redis' },
    { ...nchan, name: 'nchan', log: 'memory', settings: 'buffer of 1,000' },
    { ...nchan, name: 'nchan-redis', log: 'redis2', settings: 'the same, two nodes, Redis' },
  ];
  return systems.map(sourceOf);
}

function sourceOf({ name, peer, log, settings, promise, traits, keyHeader }: PeerSystem): SystemSource {
  return {
    name,
    settings,
    promise,
    missing: () =>
      usesRedis(log) && findProgram('redis-server') === undefined ? 'needs redis-server' : peer.missing(),
    start: async () => {
      const folder = await mkdtemp(join(tmpdir(), 'sse-torture-'));
      const callOff = afterExit('rm -rf "$1"', folder);
      const redis = usesRedis(log) ? await startLocalRedis() : undefined;
      let servers: readonly ServerProcess[] = [];
      const stop = async (): Promise<void> => {
        await Promise.all(servers.map((server) => server.stop()));
        await redis?.stop();
        await rm(folder, { recursive: true, force: true });
        callOff();
      };
      try {
        const running = await peer.start({ log, redisPort: redis?.port, folder, resumable: true });
        ({ servers } = running);
        const { wire } = running;
        const [first, ...others] = servers.map((server, index) =>
          nodeOf(server, `node ${index + 1}`, wire.subscribe.path, wire.publish.path),
        );
        if (first === undefined) throw new Error(`${name} has no nodes.`);
        for (const { subscribeUrl } of [first, ...others])
          await servesStreams(fill(subscribeUrl, { channel: 'torture-ready' }));
        return {
          name,
          nodes: [first, ...others],
          wire: {
            subscribeHeaders: headersOf(wire.subscribe.headers),
            publishHeaders: {
              ...headersOf(wire.publish.headers),
              ...(keyHeader !== undefined && { [keyHeader]: '{key}' }),
            },
            publishBody: wire.publish.body,
            resume: 'header',
            gapEvents: [],
            endEvents: [],
            ...traits,
          },
          stop,
        } satisfies System;
      } catch (error) {
        await stop();
        throw error;
      }
    },
  };
}

function nodeOf(server: ServerProcess, name: string, subscribePath: string, publishPath: string): SystemNode {
  const origin = `http://127.0.0.1:${server.port}`;
  const subscribeUrl = `${origin}${subscribePath}`;
  return {
    name,
    subscribeUrl,
    publishUrl: `${origin}${publishPath}`,
    kill: () => server.stop(),
    terminate: () => server.terminate(TERMINATE_LIMIT_MS),
    start: async () => {
      await server.restart();
      await servesStreams(fill(subscribeUrl, { channel: 'torture-ready' }));
    },
  };
}

/**
 * Waits until the node opens streams, as the health check of a load balancer does. A node that keeps the head of its
 * answer back until there is an event has opened the stream as well.
 */
async function servesStreams(url: string): Promise<void> {
  const limit = performance.now() + READY_LIMIT_MS;
  for (;;) {
    const connection = new AbortController();
    const timer = setTimeout(() => connection.abort(), SILENT_MS);
    let status = 0;
    try {
      ({ status } = await fetch(url, {
        headers: { accept: 'text/event-stream' },
        signal: connection.signal,
      }));
    } catch {
      if (connection.signal.aborted) return;
      // Refused: the node is not there yet.
    }
    clearTimeout(timer);
    connection.abort();
    if (status === 200) return;
    if (performance.now() > limit) throw new Error(`${url} is answered with ${status}.`);
    await delay(READY_POLL_MS);
  }
}

function headersOf(lines: string): Record<string, string> {
  return Object.fromEntries(
    lines
      .split('\r\n')
      .filter((line) => line !== '')
      .map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon), line.slice(colon + 1).trim()];
      }),
  );
}

interface CentrifugoSubscribed {
  readonly epoch?: string;
  readonly offset?: number;
  readonly publications?: readonly { readonly offset?: number }[];
  readonly was_recovering?: boolean;
  readonly recovered?: boolean;
}

/** The part of Centrifugo's messages that recovery needs (https://centrifugal.dev/docs/transports/uni_sse). */
interface CentrifugoMessage {
  readonly connect?: {
    readonly subs?: Readonly<Record<string, CentrifugoSubscribed>>;
  };
  readonly pub?: { readonly offset?: number };
}

/** Keeps the position in the stream, and asks for recovery from it: an EventSource alone cannot resume at Centrifugo. */
class CentrifugoPage implements Page {
  readonly #channel: string;
  #position: { epoch: string; offset: number } | undefined;

  constructor(channel: string) {
    this.#channel = channel;
  }

  onEvent(_type: string, data: string): boolean {
    const { connect, pub } = JSON.parse(data) as CentrifugoMessage;
    const subscribed = connect?.subs?.[this.#channel];
    if (subscribed !== undefined)
      this.#position = {
        epoch: subscribed.epoch ?? '',
        offset: subscribed.publications?.at(-1)?.offset ?? subscribed.offset ?? 0,
      };
    if (pub?.offset !== undefined && this.#position !== undefined) this.#position.offset = pub.offset;
    return subscribed?.was_recovering === true && subscribed.recovered !== true;
  }

  path(): string {
    const wish = this.#position === undefined ? {} : { recover: true, ...this.#position };
    const connect = encodeURIComponent(JSON.stringify({ subs: { [this.#channel]: wish } }));
    return `/connection/uni_sse?cf_connect=${connect}`;
  }
}
