import { describe, expect, test } from 'vitest';
import { parseRedisAddress } from '../../../src/redis/redis-address.ts';
import { loadConfig } from '../../../src/config/config.ts';

const nobody = { username: undefined, password: undefined, tls: false };

test.each([
  ['redis://localhost', { kind: 'single', host: 'localhost', port: 6379, db: 0, ...nobody }],
  ['redis://localhost/', { kind: 'single', host: 'localhost', port: 6379, db: 0, ...nobody }],
  ['redis://[::1]:6380/15', { kind: 'single', host: '::1', port: 6380, db: 15, ...nobody }],
  ['redis://:p%40ss%2F@h', { kind: 'single', host: 'h', port: 6379, db: 0, ...nobody, password: 'p@ss/' }],
  ['redis://:a@b:c@h', { kind: 'single', host: 'h', port: 6379, db: 0, ...nobody, password: 'a@b:c' }],
  ['redis://user@h', { kind: 'single', host: 'h', port: 6379, db: 0, ...nobody, username: 'user' }],
  [
    'REDISS://u:p@h:1/2',
    { kind: 'single', host: 'h', port: 1, db: 2, username: 'u', password: 'p', tls: true },
  ],
  [
    'redis+cluster://:p@a:1,[fd00::1],c',
    {
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'fd00::1', port: 6379 },
        { host: 'c', port: 6379 },
      ],
      ...nobody,
      password: 'p',
    },
  ],
  [
    'rediss+sentinel://u:p@a,b:2/my%20master/3?sentinelUsername=s&sentinelPassword=%26&sentinelTls=no',
    {
      kind: 'sentinel',
      sentinels: [
        { host: 'a', port: 26_379 },
        { host: 'b', port: 2 },
      ],
      name: 'my master',
      db: 3,
      sentinelUsername: 's',
      sentinelPassword: '&',
      sentinelTls: false,
      username: 'u',
      password: 'p',
      tls: true,
    },
  ],
  [
    'redis+sentinel://h/n?sentinelPassword=a+b%20c',
    {
      kind: 'sentinel',
      sentinels: [{ host: 'h', port: 26_379 }],
      name: 'n',
      db: 0,
      sentinelUsername: undefined,
      sentinelPassword: 'a+b c',
      sentinelTls: false,
      ...nobody,
    },
  ],
])('%s is read', (url, address) => expect(parseRedisAddress(url)).toEqual(address));

describe('a bad address stops the start with a line that says what to change', () => {
  test.each([
    ['redis://h?commandTimeout=20000&enableOfflineQueue=1', /without the option commandTimeout; it has none/],
    ['redis+cluster://h?keyPrefix=x', /without the option keyPrefix; it has none/],
    ['redis+sentinel://h/name?role=slave', /without the option role; it may have sentinelUsername/],
    ['redis://h/abc', /the number of a database/],
    ['redis://h/-1', /the number of a database/],
    ['redis://h/1.5', /the number of a database/],
    ['redis+sentinel://h/name/x', /the number of a database/],
    ['redis+cluster://h/1', /no database/],
    ['redis://h:65536', /a port from 1 to 65535/],
    ['redis://h:0', /a port from 1 to 65535/],
    ['redis://h:999999', /a port from 1 to 65535/],
    ['redis+cluster://a:1,b:65536', /a port from 1 to 65535/],
    ['redis+sentinel://a,b:0/name', /a port from 1 to 65535/],
    ['redis://::1:6379', /an address of IPv6 in brackets/],
    ['redis://u:100%@h', /every "%" that is meant as such, say in a password, is written %25/],
    ['redis+sentinel://h/name?sentinelPassword=100%', /every "%" .* is written %25/],
    ['redis://u:a/b@h', /"\/" is written %2F, "\?" %3F, "#" %23, "@" %40/],
    ['redis://u:a#b@h', /"#" %23/],
    ['redis://u:a?b@h', /"\?" %3F/],
    ['redis://u:a@b/c@h', /"@" %40/],
    ['redis+cluster://:a@b/c@h1,h2', /"@" %40/],
    ['redis+sentinel://:a@b/c@h1,h2/name', /"@" %40/],
    ['redis+sentinel://h/n?sentinelPassword=a&b', /"&" in a password written %26/],
    ['redis+sentinel://h', /the name that the Sentinels have/],
  ])('%s', (REDIS_URL, line) => expect(() => loadConfig({ REDIS_URL })).toThrow(line));
});
