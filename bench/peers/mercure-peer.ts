import { createHmac } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port.ts';
import { headerLines } from '../load/wire.ts';
import type { Peer } from './peer.ts';
import { ServerProcess } from './server-process.ts';

const SECRET = 'a-secret-of-more-than-32-bytes-for-the-benchmark';

/**
 * The Mercure hub (0.2x, and 1.0 in its compatibility mode) with its default transport, Bolt, which writes to disk. It keeps as much history as Sluice does by
 * default. The configuration follows https://mercure.rocks/docs/hub/config. `binary` is the unpacked program.
 */
export function mercurePeer(binary: string | undefined, version: '0' | '1' = '0'): Peer {
  return {
    name: version === '0' ? 'mercure' : 'mercure-1',
    logs: ['disk'],
    resumes: true,
    batches: false,
    manyChannels: false,
    missing: () => {
      if (binary === undefined) return 'give --mercure PATH (https://mercure.rocks/docs/hub/install)';
      return existsSync(binary) ? undefined : `${binary} is not there`;
    },
    start: async ({ folder }) => {
      const port = await freePort();
      const file = join(folder, 'Caddyfile');
      await writeFile(file, configuration(port, folder, version));
      const hub = await ServerProcess.start({
        command: binary ?? 'mercure',
        args: ['run', '--config', file, '--adapter', 'caddyfile'],
        cwd: folder,
        env: { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder },
        port,
      });
      const bearer = token({ mercure: { publish: ['*'] } });
      return {
        servers: [hub],
        wire: {
          subscribe: { path: '/.well-known/mercure?topic={channel}', headers: '' },
          publish: {
            path: '/.well-known/mercure',
            headers: headerLines({
              Authorization: `Bearer ${bearer}`,
              'Content-Type': 'application/x-www-form-urlencoded',
            }),
            body: 'topic={channel}&data={data}',
          },
          resume: 'Last-Event-ID',
        },
      };
    },
  };
}

function configuration(port: number, folder: string, version: '0' | '1'): string {
  return `{
	admin off
	auto_https off
	persist_config off
	grace_period 10s
	log {
		level ERROR
	}
}
http://127.0.0.1:${port} {
	mercure {
		publisher_jwt ${SECRET}
		subscriber_jwt ${SECRET}
		anonymous${version === '1' ? '\n\t\tprotocol_version_compatibility 8' : ''}
		transport bolt {
			path ${join(folder, 'mercure.db')}
			size 1000
			cleanup_frequency 0.3
		}
		write_timeout 0s
	}
	respond "Not Found" 404
}
`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** Makes a JWT with HS256 (RFC 7519). */
function token(claims: object): string {
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}
