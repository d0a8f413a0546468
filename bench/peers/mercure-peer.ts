import { createHmac } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port.ts';
import { headerLines } from '../load/wire.ts';
import type { Peer } from './peer.ts';
import { ServerProcess } from './server-process.ts';

const SECRET = 'a-secret-of-more-than-32-bytes-for-the-benchmark';
const KEYS = `publisher_jwt ${SECRET}
		subscriber_jwt ${SECRET}`;
const ISSUER = `issuer https://localhost {
			publisher {
				jwt ${SECRET}
			}
			subscriber {
				jwt ${SECRET}
			}
		}`;

/**
 * The Mercure hub (0.2x or 1.0) with its default transport, Bolt, which writes to disk. It keeps as much history as Sluice does by
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
      const bearer =
        version === '0'
          ? token('JWT', { mercure: { publish: ['*'] } })
          : accessToken(`http://127.0.0.1:${port}/.well-known/mercure`);
      return {
        servers: [hub],
        wire: {
          subscribe: {
            path: `/.well-known/mercure?${version === '0' ? 'topic' : 'match'}={channel}`,
            headers: '',
          },
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
		${version === '0' ? KEYS : ISSUER}
		anonymous
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
function token(typ: string, claims: object): string {
  const signed = `${encode({ alg: 'HS256', typ })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

/** Makes an OAuth 2.0 access token (RFC 9068) that lets a publisher publish on every topic of Mercure 1.0. */
function accessToken(hub: string): string {
  const type = 'https://mercure.rocks/authorization-detail';
  const iat = Math.floor(Date.now() / 1_000);
  const details = [{ type, actions: ['publish'], topics: [{ match: '*' }] }];
  return token('at+jwt', {
    iss: 'https://localhost',
    aud: hub,
    sub: 'publisher',
    client_id: 'publisher',
    jti: '1',
    iat,
    exp: iat + 86_400,
    authorization_details: details,
  });
}
