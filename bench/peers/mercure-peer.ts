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
 * The Mercure hub (0.2x, or 1.0 with its own protocol) with its default transport, Bolt, which writes to disk, or with the one
 * that keeps nothing. Bolt keeps as much history as Sluice does by default: `size` alone trims almost never. The configuration
 * follows https://mercure.rocks/docs/hub/config. `binary` is the unpacked program.
 */
export function mercurePeer(
  binary: string | undefined,
  { version = '0', local = false }: { readonly version?: '0' | '1'; readonly local?: boolean } = {},
): Peer {
  const option = version === '0' ? '--mercure' : '--mercure-1';
  const parameter = `${version === '0' ? 'topic' : 'match'}={channel}`;
  return {
    name: `mercure${version === '0' ? '' : '-1'}${local ? '-local' : ''}`,
    logs: [local ? 'memory' : 'disk'],
    resumes: !local,
    batches: false,
    manyChannels: true,
    compresses: true,
    missing: () => {
      if (binary === undefined) return `give ${option} PATH (https://mercure.rocks/docs/hub/install)`;
      return existsSync(binary) ? undefined : `${binary} is not there`;
    },
    start: async ({ folder, compress = false }) => {
      const port = await freePort();
      const file = join(folder, 'Caddyfile');
      await writeFile(file, configuration({ port, folder, version, local, compress }));
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
            path: `/.well-known/mercure?${parameter}`,
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
          subscribeMany: { before: '/.well-known/mercure?', item: parameter, between: '&', after: '' },
          resume: { header: 'Last-Event-ID' },
          probe: '/',
        },
      };
    },
  };
}

interface HubSettings {
  readonly port: number;
  readonly folder: string;
  readonly version: '0' | '1';
  readonly local: boolean;
  readonly compress: boolean;
}

function configuration({ port, folder, version, local, compress }: HubSettings): string {
  const bolt = `transport bolt {
			path ${join(folder, 'mercure.db')}
			size 1000
			cleanup_frequency 0.3
		}`;
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
	${compress ? 'encode gzip {\n\t\tminimum_length 1\n\t}' : ''}
	mercure {
		${version === '0' ? KEYS : ISSUER}
		anonymous
		${local ? 'transport local' : bolt}
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
