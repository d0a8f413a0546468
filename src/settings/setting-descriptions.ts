import type { SettingName } from './settings.ts';

/**
 * What each setting is for, in Markdown: a cell of the tables in README.md and docs/operations.md, which
 * `npm run docs` writes. Its
 * form and default are taken from the setting itself.
 */
export const SETTING_DESCRIPTIONS: Readonly<Record<SettingName, string>> = {
  PORT: 'Where publishers and subscribers connect. With 0 the system picks a free port, and the log says which',
  HOST: 'The address to listen on; `0.0.0.0` and `::` are all of the machine',
  LOG_LEVEL:
    'How much is logged, as JSON lines on stdout. At `warn` a replica is silent as long as all is well',
  REDIS_URL:
    'Where events are kept and announced: `redis://`, `rediss://`, Sentinels or a cluster, see [Redis](operations.md#redis). Without it they are kept in the process, which is then the only replica',
  SLUICE_REDIS_PREFIX:
    'Begins every name in Redis. Brokers with different prefixes share a Redis and nothing else',
  SLUICE_REDIS_WAIT_REPLICAS:
    'A publish is acknowledged only when so many replicas of Redis have it; with fewer within 500 ms the answer is 503. For failovers that lose nothing acknowledged, at the price of a round trip',
  SLUICE_REDIS_TLS_CA:
    "For a `rediss` URL: who may have signed Redis' certificate, in PEM; without it, the authorities that Node knows",
  SLUICE_REDIS_TLS_CERT: 'The certificate that the broker shows to Redis, in PEM, with its chain',
  SLUICE_REDIS_TLS_KEY: 'The key of that certificate, in PEM',
  SLUICE_PUBLISH_KEYS:
    'Who has one of these may publish; without any, and without a key for tokens, one is made for each run. One of fewer than 16 characters is a warning',
  SLUICE_JWT_SECRET:
    'Tokens are signed with this secret (HS256), of 32 bytes or more. Of several, separated by commas, the first is what `POST /tokens` signs with, and tokens of all are good ([how to change it](operations.md#changing-a-secret))',
  SLUICE_JWT_PUBLIC_KEY:
    'Or: tokens are signed with the private half of this PEM, the kind of which says how: RSA (RS256), P-256 (ES256), Ed25519 (EdDSA). Line breaks may be written `\\n`',
  SLUICE_JWKS_URL:
    'Or: tokens are signed with one of the keys at this URL. Only one of these three can be set',
  SLUICE_JWT_ISSUER: 'What the `iss` of a token must be',
  SLUICE_JWT_AUDIENCE: 'What the `aud` of a token must name',
  SLUICE_JWT_CLOCK_TOLERANCE: 'How far the clock of who signs tokens may be from this one',
  SLUICE_TOKEN_COOKIE:
    "The cookie that a subscriber's token may come in. With a name that begins with `__Host-` no other host of its domain can set one",
  SLUICE_PUBLIC_CHANNELS:
    'Channels that anyone may listen to: names, prefixes such as `public.*`, or `*`; a comma for none. Once a key for tokens is set, none by default; the others need a token',
  SLUICE_REVOCATION_TTL:
    'How long a revoked token is refused ([`POST /disconnect`](protocol.md#post-disconnect)): at least as long as any token lives. The same on all replicas',
  SLUICE_CORS_ORIGINS:
    'Other origins whose pages may subscribe and publish, such as `https://app.example.com`, `https://*.example.com` or `capacitor://localhost`; or `*` alone, with which no cookie is taken. Not needed where the page comes from the same origin as the broker, say behind one proxy',
  SLUICE_HISTORY_SIZE:
    'Events kept for each channel. A subscriber that was away for longer than they last is told by a gap',
  SLUICE_HISTORY_TTL: 'How long an event is kept, and so how long a subscriber may be away',
  SLUICE_MEMORY_BYTES:
    'Without Redis: what events, idempotency keys and tails together may take. The oldest go first',
  SLUICE_HEARTBEAT:
    'A stream is never silent for longer, so that no proxy takes it for dead. Below a half of the shortest limit for silence on the way; see [proxies](proxies.md)',
  SLUICE_RETRY:
    'After how long a browser reconnects; each connection is given its own time, from half of this to one and a half times. Longer spreads [a storm](scaling.md#where-the-walls-stand)',
  SLUICE_STALL_TIMEOUT: 'A reader whose connection takes nothing for so long is cut off; it can resume',
  SLUICE_DRAIN_WINDOW:
    'At a shutdown, streams are ended evenly over this time. Whatever stops the process has to give it longer',
  SLUICE_MAX_CONNECTIONS:
    'Streams at once on this replica; more are asked to come back in 5 to 15 s. What a replica takes: [sizing](operations.md#sizing)',
  SLUICE_MAX_CONNECTIONS_PER_IP: 'Streams at once from one address; an IPv6 client counts by its /64',
  SLUICE_MAX_CONNECTIONS_PER_SUBJECT: 'Streams at once for one token subject',
  SLUICE_MAX_CONNECTION_AGE:
    'A stream is asked to reconnect at this age, give or take a fifth, so that a replica that was added gets its share, and a proxy that never lets go of a stream does not keep it for ever; `off` for no limit',
  SLUICE_MAX_BODY_BYTES: 'The largest publish, 256 MiB at most',
  SLUICE_MAX_HEADER_BYTES: 'The largest request line and headers together',
  SLUICE_HEAD_TIMEOUT:
    'How long the request line and headers may take to arrive; 30 s at most, which is what a whole request has',
  SLUICE_PUBLISH_RATE_PER_KEY:
    'Publish requests with one key: `100/s`, `6000/m`, `1000/h`; over all replicas on a Redis',
  SLUICE_PUBLISH_RATE_PER_IP:
    'Publish requests from one address: `100/s`, `6000/m`, `1000/h`; over all replicas on a Redis',
  SLUICE_FAILED_AUTH_LIMIT: 'Wrong credentials from one address, at each replica; `off` for no limit',
  SLUICE_TRUSTED_PROXIES:
    'Addresses and networks of your proxies, such as `10.0.0.0/8,fd00::/8`: only their `X-Forwarded-For` is believed ([why it matters](operations.md#limits))',
  SLUICE_IDEMPOTENCY_TTL:
    'How long an `Idempotency-Key` is remembered: longer than a publisher goes on trying',
  SLUICE_ADMIN_PORT: 'Moves health and metrics to a port of their own, which is without TLS',
  SLUICE_TLS_CERT:
    'Speaks TLS, HTTP/2 and HTTP/1.1, with this certificate: PEM, with its chain ([how](operations.md#tls))',
  SLUICE_TLS_KEY: 'The key of that certificate, in PEM',
};
