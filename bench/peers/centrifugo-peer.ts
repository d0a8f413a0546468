import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port.ts';
import { headerLines } from '../load/wire.ts';
import type { Ground, Peer } from './peer.ts';
import { ServerProcess } from './server-process.ts';

const KEY = 'the-key-of-the-benchmark';
const CONNECT = encodeURIComponent('{"subs":{"@":{}}}').replace('%40', '{channel}');

/**
 * Centrifugo 6 with its unidirectional SSE transport, and with as much history as Sluice keeps by default. The configuration
 * follows https://centrifugal.dev/docs/transports/uni_sse. `binary` is the unpacked program. A client resumes by positions in
 * its connect request and not by Last-Event-ID, so the benchmark does not measure replay here.
 */
export function centrifugoPeer(binary: string | undefined): Peer {
  return {
    name: 'centrifugo',
    logs: ['memory', 'redis', 'redis2'],
    resumes: false,
    batches: false,
    manyChannels: false,
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
          subscribe: { path: `/connection/uni_sse?cf_connect=${CONNECT}`, headers: '' },
          publish: {
            path: '/api/publish',
            headers: headerLines({ 'X-API-Key': KEY, 'Content-Type': 'application/json' }),
            body: '{"channel":"{channel}","data":"{data}"}',
          },
          ready: 'data: {"connect"',
        },
      };
    },
  };
}

function configuration(port: number, { redisPort, resumable = false }: Ground): object {
  return {
    http_server: { address: '127.0.0.1', port: String(port) },
    http_api: { key: KEY },
    log: { level: 'error' },
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
