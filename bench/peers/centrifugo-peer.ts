import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port.ts';
import { headerLines } from '../load/wire.ts';
import type { Ground, Peer } from './peer.ts';
import { ServerProcess } from './server-process.ts';

const KEY = 'the-key-of-the-benchmark';
const STREAM = '/connection/uni_sse?cf_connect=';
const EVENT = '{"channel":"{channel}","data":"{data}"}';

/** A part of a connect request, escaped for a URL. `{channel}` and `{position}` stay. */
function escaped(json: string): string {
  return encodeURIComponent(json)
    .replaceAll('%7Bchannel%7D', '{channel}')
    .replaceAll('%7Bposition%7D', '{position}');
}

/**
 * Centrifugo 6 with its unidirectional SSE transport, and with as much history as Sluice keeps by default. The configuration
 * follows https://centrifugal.dev/docs/transports/uni_sse. `binary` is the unpacked program. A client resumes by a position in
 * its connect request and not by Last-Event-ID, and gets what it missed in the answer to that.
 */
export function centrifugoPeer(binary: string | undefined): Peer {
  return {
    name: 'centrifugo',
    logs: ['memory', 'redis', 'redis2'],
    resumes: true,
    batches: true,
    manyChannels: true,
    compresses: false,
    missing: () => {
      if (binary === undefined)
        return 'give --centrifugo PATH (https://centrifugal.dev/docs/getting-started/installation)';
      return existsSync(binary) ? undefined : `${binary} is not there`;
    },
    start: async (ground) => {
      const servers: ServerProcess[] = [];
      for (let i = 0; i < (ground.log === 'redis2' ? 2 : 1); i++) {
        const port = await freePort();
        const file = join(ground.folder, `centrifugo-${i}.json`);
        await writeFile(file, JSON.stringify(configuration(port, ground)));
        servers.push(
          await ServerProcess.start({
            command: binary ?? 'centrifugo',
            args: ['--config', file],
            cwd: ground.folder,
            port,
          }),
        );
      }
      return {
        servers,
        wire: {
          subscribe: { path: `${STREAM}${escaped('{"subs":{"{channel}":{}}}')}`, headers: '' },
          subscribeMany: {
            before: `${STREAM}${escaped('{"subs":{')}`,
            item: escaped('"{channel}":{}'),
            between: ',',
            after: escaped('}}'),
          },
          publish: {
            path: '/api/publish',
            headers: headerLines({ 'X-API-Key': KEY, 'Content-Type': 'application/json' }),
            body: EVENT,
          },
          publishMany: {
            path: '/api/batch',
            before: '{"commands":[',
            item: `{"publish":${EVENT}}`,
            between: ',',
            after: ']}',
          },
          ready: 'data: {"connect"',
          resume: { path: `${STREAM}${escaped('{"subs":{"{channel}":{"recover":true,{position}}}}')}` },
          probe: '/health',
        },
        positions: async (channel) => await positionsOf(servers[0]?.port ?? 0, channel),
      };
    },
  };
}

/** Reads the history (https://centrifugal.dev/docs/server/server_api#history). */
async function positionsOf(port: number, channel: string): Promise<readonly string[]> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/history`, {
    method: 'POST',
    headers: { 'X-API-Key': KEY, 'Content-Type': 'application/json' },
    body: JSON.stringify({ channel, limit: -1 }),
  });
  const { result } = (await answer.json()) as { readonly result?: History };
  return (result?.publications ?? []).map(({ offset }) => `"epoch":"${result?.epoch}","offset":${offset}`);
}

interface History {
  readonly epoch: string;
  readonly publications: readonly { readonly offset: number }[];
}

function configuration(port: number, { redisPort, resumable = false }: Ground): object {
  return {
    http_server: { address: '127.0.0.1', port: String(port) },
    http_api: { key: KEY },
    log: { level: 'error' },
    health: { enabled: true },
    client: {
      allow_anonymous_connect_without_token: true,
      allowed_origins: ['*'],
      recovery_max_publication_limit: 1000,
    },
    uni_sse: { enabled: true },
    channel: {
      without_namespace: {
        history_size: 1000,
        history_ttl: '1h',
        allow_subscribe_for_client: true,
        allow_subscribe_for_anonymous: true,
        force_recovery: resumable,
      },
    },
    ...(redisPort !== undefined && {
      engine: { type: 'redis', redis: { address: `redis://127.0.0.1:${redisPort}` } },
    }),
  };
}
