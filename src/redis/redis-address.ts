/** One server's address. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** The login to the servers that hold the data. */
export interface RedisAccess {
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly tls: boolean;
}

/**
 * Where Redis is. REDIS_URL has these forms (docs/operations.md):
 * - `redis://user:password@host:6379/db` or `rediss://`: one server
 * - `redis+sentinel://user:password@host:26379,host:26379/name/db?sentinelPassword=…`: the server that the Sentinels name;
 *   `rediss+sentinel://` uses TLS to that server and, without `sentinelTls=no`, to the Sentinels
 * - `redis+cluster://user:password@host:6379,host:6379` or `rediss+cluster://`: a cluster, found through any of these nodes
 */
export type RedisAddress =
  | (RedisAccess & HostAndPort & { readonly kind: 'single'; readonly db: number })
  | (RedisAccess & {
      readonly kind: 'sentinel';
      readonly sentinels: readonly HostAndPort[];
      readonly name: string;
      readonly db: number;
      readonly sentinelUsername: string | undefined;
      readonly sentinelPassword: string | undefined;
      readonly sentinelTls: boolean;
    })
  | (RedisAccess & { readonly kind: 'cluster'; readonly nodes: readonly HostAndPort[] });

const A_URL = 'a redis://, rediss://, redis+sentinel:// or redis+cluster:// URL';
const A_DATABASE = 'the number of a database, such as /0 or /1, at the end of its path';
const FORM = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/([^/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/i;
const AN_IPV6_HOST = 'an address of IPv6 in brackets, such as [::1]:6379';
const A_PORT = 'a port from 1 to 65535 behind the colon of each host';
const ENCODED = 'a URL in whose user and password "/" is written %2F, "?" %3F, "#" %23, "@" %40 and "%" %25';
const HOST = /^(\[[\da-f:.]+\]|[^\s:[\]@]+)(?::(\d+))?$/i;
const DATABASE = /^\d{1,9}$/;
/** The options that the query of a Sentinel URL may hold. The query of any other URL must be empty. */
const SENTINEL_OPTIONS = ['sentinelUsername', 'sentinelPassword', 'sentinelTls'];

/**
 * Parses REDIS_URL. ioredis does not get the URL: it would accept any of its own options in the query, also options that
 * break the broker's guarantees.
 * @throws Error whose message completes "expected …" and quotes nothing that may be a password
 */
export function parseRedisAddress(url: string): RedisAddress {
  // The first "/", "?" or "#" ends the hosts. An "@" after it means that the character was part of the password.
  if (/^[^/?#]+:\/\/[^/?#]*[/?#].*@/s.test(url)) throw new Error(ENCODED);
  const match = FORM.exec(url);
  if (match === null) throw new Error(A_URL);
  const [, scheme = '', form = 'single', authority = '', path = '', query = ''] = match;
  const kind = form.toLowerCase() as RedisAddress['kind'];
  const at = authority.lastIndexOf('@');
  const hosts = authority.slice(at + 1);
  const access: RedisAccess = {
    ...loginOf(at < 0 ? '' : authority.slice(0, at), kind),
    tls: scheme.toLowerCase() === 'rediss',
  };
  switch (kind) {
    case 'single': {
      const [server] = parseHosts(hosts, 6379);
      if (server === undefined || hosts.includes(',')) throw new Error(A_URL);
      parseQuery(query, []);
      return { kind, ...server, db: parseDatabase(path), ...access };
    }
    case 'cluster': {
      const nodes = parseHosts(hosts, 6379);
      if (path !== '') throw new Error('no database after the hosts of a cluster, which has only one');
      parseQuery(query, []);
      return { kind, nodes, ...access };
    }
    case 'sentinel': {
      const sentinels = parseHosts(hosts, 26_379);
      const [name = '', db = '', ...more] = path.split('/');
      if (name === '' || more.length > 0)
        throw new Error(
          'the name that the Sentinels have for the master after their hosts, as in /name or /name/0',
        );
      const options = parseQuery(query, SENTINEL_OPTIONS);
      const sentinelTls = options.get('sentinelTls')?.toLowerCase() ?? 'yes';
      if (sentinelTls !== 'yes' && sentinelTls !== 'no') throw new Error('yes or no for sentinelTls');
      return {
        kind,
        sentinels,
        name: decode(name),
        db: parseDatabase(db),
        sentinelUsername: options.get('sentinelUsername'),
        sentinelPassword: options.get('sentinelPassword'),
        sentinelTls: access.tls && sentinelTls === 'yes',
        ...access,
      };
    }
    default:
      throw new Error(A_URL);
  }
}

/** A text without a colon is the user in the URL of one server, and the password in the other URLs. */
function loginOf(text: string, kind: RedisAddress['kind']): Pick<RedisAccess, 'username' | 'password'> {
  const colon = text.indexOf(':');
  const [username, password] =
    colon >= 0 ? [text.slice(0, colon), text.slice(colon + 1)] : kind === 'single' ? [text, ''] : ['', text];
  return {
    username: username === '' ? undefined : decode(username),
    password: password === '' ? undefined : decode(password),
  };
}

function parseHosts(hosts: string, defaultPort: number): HostAndPort[] {
  return hosts.split(',').map((one) => {
    const [, host = '', digits] = HOST.exec(one) ?? [];
    const port = digits === undefined ? defaultPort : Number(digits);
    if (host === '') throw new Error(/^[^[\]]*:[^[\]]*:[^[\]]*$/.test(one) ? AN_IPV6_HOST : A_URL);
    if (port < 1 || port > 65_535) throw new Error(A_PORT);
    return { host: host.replaceAll(/^\[|\]$/g, ''), port };
  });
}

function parseDatabase(text: string): number {
  if (text === '') return 0;
  if (!DATABASE.test(text)) throw new Error(A_DATABASE);
  return Number(text);
}

/** Decodes names and values like the password before the "@": a "+" stays a "+" and is not a blank as in a form. */
function parseQuery(query: string, known: readonly string[]): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (const part of query.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decode(equals < 0 ? part : part.slice(0, equals));
    if (!known.includes(name)) throw new Error(withoutOption(name, known, options));
    options.set(name, equals < 0 ? '' : decode(part.slice(equals + 1)));
  }
  return options;
}

function withoutOption(name: string, known: readonly string[], before: ReadonlyMap<string, string>): string {
  // The unknown option may be the rest of a password with an "&".
  if (before.has('sentinelPassword'))
    return `known options only (${known.join(', ')}), and "&" in a password written %26`;
  const shown = /^\w{1,40}$/.test(name) ? `the option ${name}` : 'an option that is not known';
  const instead = known.length === 0 ? 'it has none' : `it may have ${known.join(', ')}`;
  return `a URL without ${shown}; ${instead}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error('a URL in which every "%" that is meant as such, say in a password, is written %25');
  }
}
