/** One server's address. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

interface Access {
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly tls: boolean;
}

/**
 * Where Redis is, as REDIS_URL says (docs/operations.md):
 * - `redis://` or `rediss://`: one server
 * - `redis+sentinel://user:password@host:26379,host:26379/name/db?sentinelPassword=…`: whichever server the Sentinels
 *   name; `rediss+sentinel://` with TLS to it and, unless it says `sentinelTls=no`, to the Sentinels
 * - `redis+cluster://user:password@host:6379,host:6379`: a cluster, found through any of these nodes; `rediss+cluster://`
 */
export type RedisAddress =
  | { readonly kind: 'single'; readonly url: string; readonly tls: boolean }
  | (Access & {
      readonly kind: 'sentinel';
      readonly sentinels: readonly HostAndPort[];
      readonly name: string;
      readonly db: number;
      readonly sentinelUsername: string | undefined;
      readonly sentinelPassword: string | undefined;
      readonly sentinelTls: boolean;
    })
  | (Access & { readonly kind: 'cluster'; readonly nodes: readonly HostAndPort[] });

const FORM = /^(rediss?)\+(sentinel|cluster):\/\/(?:([^@/]*)@)?([^/?]+)(?:\/([^?]*))?(?:\?(.*))?$/;

/** Takes what the configuration has let through. */
export function parseRedisAddress(url: string): RedisAddress {
  const match = FORM.exec(url);
  if (match === null) return { kind: 'single', url, tls: url.startsWith('rediss:') };
  const [, scheme, kind, access = '', hosts = '', path = '', query = ''] = match;
  const colon = access.indexOf(':');
  const common: Access = {
    username: decode(colon < 0 ? '' : access.slice(0, colon)),
    password: decode(colon < 0 ? access : access.slice(colon + 1)),
    tls: scheme === 'rediss',
  };
  if (kind === 'cluster') return { kind, nodes: parseHosts(hosts, 6379), ...common };
  const [name = '', db = ''] = path.split('/');
  const parameters = new URLSearchParams(query);
  return {
    kind: 'sentinel',
    sentinels: parseHosts(hosts, 26_379),
    name: decodeURIComponent(name),
    db: Number(db),
    sentinelUsername: parameters.get('sentinelUsername') ?? undefined,
    sentinelPassword: parameters.get('sentinelPassword') ?? undefined,
    sentinelTls: common.tls && parameters.get('sentinelTls') !== 'no',
    ...common,
  };
}

function parseHosts(hosts: string, defaultPort: number): HostAndPort[] {
  return hosts.split(',').map((one) => {
    const [, host = one, port] = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(one) ?? [];
    return { host: host.replace(/^\[|\]$/g, ''), port: port === undefined ? defaultPort : Number(port) };
  });
}

function decode(text: string): string | undefined {
  return text === '' ? undefined : decodeURIComponent(text);
}
