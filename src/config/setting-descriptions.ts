import type { SettingName } from './settings.ts';

/**
 * What each setting does, in Markdown. `npm run docs` writes these texts into the table in docs/operations.md, with the
 * format and default from `settings.ts`.
 */
export const SETTING_DESCRIPTIONS: Readonly<Record<SettingName, string>> = {
  PORT: 'The port for publishers and subscribers. With 0 the system picks a free port, and the log shows it',
  HOST: 'The address to listen on. `0.0.0.0` and `::` mean all addresses of the machine',
  LOG_LEVEL:
    'The least severe level that is logged, as JSON lines on stdout. At `warn` a healthy replica logs nothing',
  REDIS_URL:
    'The Redis that keeps and announces events: `redis://`, `rediss://`, Sentinels or a cluster, see [Redis](operations.md#redis). Without it the process keeps the events itself, in memory or in `SLUICE_DATA_DIR`, and there can be only one replica',
  SLUICE_REDIS_PREFIX:
    'The prefix of every name in Redis. Brokers with different prefixes can share a Redis without seeing each other',
  SLUICE_REDIS_WAIT_REPLICAS:
    'A publish is acknowledged only when this many replicas of Redis have the event. If they do not confirm within 500 ms, the answer is 503. A failover then loses no acknowledged event; each publish takes one more round trip',
  SLUICE_REDIS_TLS_CA:
    "For a `rediss` URL: the certificate authorities that may sign Redis' certificate, in PEM. Without it, Node's own list is used",
  SLUICE_REDIS_TLS_CERT: 'The client certificate that the broker shows to Redis, in PEM, with its chain',
  SLUICE_REDIS_TLS_KEY: 'The private key of that certificate, in PEM',
  SLUICE_DATA_DIR:
    'Without Redis: the folder in which the process keeps events, idempotency keys and revocations. They survive a restart. The folder must exist, and only one process can use it. Without this setting they are in memory and a restart loses them',
  SLUICE_DATA_BYTES:
    'With `SLUICE_DATA_DIR`: the most disk space that the files take. When it is full, the oldest events are removed first',
  SLUICE_SYNC:
    'With `SLUICE_DATA_DIR`: `always` answers a publish when the event is on the disk; publishes of one moment share a sync. `1s` answers at once and syncs every second: a crash of the machine can lose the last second, a crash of the broker loses nothing',
  SLUICE_PUBLISH_KEYS:
    'The keys that allow publishing. When neither these nor a key for tokens is set, the broker makes a key for each run. A key of fewer than 16 characters gives a warning',
  SLUICE_JWT_SECRET:
    'The secret that signs tokens (HS256), of 32 bytes or more. With several secrets, separated by commas, `POST /tokens` signs with the first, and tokens signed with any of them are valid ([how to change it](operations.md#changing-a-secret))',
  SLUICE_JWT_PUBLIC_KEY:
    'Instead of a secret: the public key (PEM) that verifies tokens. The kind of key decides the algorithm: RSA (RS256), P-256 (ES256), Ed25519 (EdDSA). Line breaks may be written as `\\n`',
  SLUICE_JWKS_URL:
    'Instead of a secret: the URL of a key set (JWKS) that verifies tokens. Only one of these three settings can be set',
  SLUICE_JWT_ISSUER: 'The `iss` that a token must have',
  SLUICE_JWT_AUDIENCE: 'The audience that the `aud` of a token must contain',
  SLUICE_JWT_CLOCK_TOLERANCE: "How far the token signer's clock may differ from the broker's clock",
  SLUICE_TOKEN_COOKIE:
    "The name of the cookie that may hold a subscriber's token. If the name begins with `__Host-`, no other host of the domain can set the cookie",
  SLUICE_PUBLIC_CHANNELS:
    'The channels that anyone may subscribe to without a token: names, prefixes such as `public.*`, or `*`. A comma means none. If a key for tokens is set, the default is none',
  SLUICE_REVOCATION_TTL:
    'How long the broker refuses a revoked token ([`POST /disconnect`](protocol.md#post-disconnect)). Set it to at least the longest lifetime of a token, and to the same value on all replicas',
  SLUICE_CORS_ORIGINS:
    'Other origins whose pages may subscribe and publish, such as `https://app.example.com`, `https://*.example.com` or `capacitor://localhost`; or `*` alone, and then no cookie is accepted. Not needed when page and broker have the same origin, for example behind one proxy',
  SLUICE_HEADERS:
    'More headers for the answers to subscribers, as JSON: `{"Timing-Allow-Origin":"*"}`. Headers that the broker sets itself are refused; see [headers of your own](operations.md#headers-of-your-own)',
  SLUICE_HISTORY_SIZE:
    'How many events each channel keeps. A subscriber that missed more events than that gets a gap notice',
  SLUICE_HISTORY_TTL: 'How long an event is kept. A subscriber can be away for this long and miss nothing',
  SLUICE_CHANNELS:
    'Policies for some channels, as JSON: `[{"match":"chat.*","history":{"size":5000,"ttl":"24h"},"public":true}]`. The first rule that matches a channel decides; see [channels with their own policy](operations.md#channels-with-their-own-policy). Set it to the same value on all replicas',
  SLUICE_MEMORY_BYTES:
    'Without Redis: the memory for events, idempotency keys and tails. When it is full, the oldest entries are removed first. With `SLUICE_DATA_DIR`: the memory for what is cached of the files',
  SLUICE_HEARTBEAT:
    'A stream that was silent for this long gets a heartbeat, so that no proxy closes it. Set it to less than half of the shortest idle timeout between broker and client; see [proxies](proxies.md)',
  SLUICE_RETRY:
    'How long a browser waits before it reconnects. Each connection gets a random time from half of this to one and a half times this. A longer time spreads [a storm](scaling.md#where-the-walls-stand)',
  SLUICE_COMPRESSION:
    'Whether streams are compressed for clients that take gzip ([how](operations.md#compression)). `off` for channels in which strangers can publish beside secrets',
  SLUICE_STALL_TIMEOUT:
    'The broker closes a connection that accepts no data for this long. The client can reconnect and resume',
  SLUICE_DRAIN_WINDOW:
    'At a shutdown, streams are ended evenly over this time. Your service manager must wait longer than this before it kills the process',
  SLUICE_MAX_CONNECTIONS:
    'How many streams and long polls this replica holds at once. It asks further clients to come back in 5 to 15 s. How many a replica can hold: [sizing](operations.md#sizing)',
  SLUICE_MAX_CONNECTIONS_PER_IP:
    'How many streams and long polls one address may have at once. IPv6 addresses of the same /64 count as one address',
  SLUICE_MAX_CONNECTIONS_PER_SUBJECT: 'How many streams and long polls one token subject may have at once',
  SLUICE_MAX_CHANNELS_PER_CONNECTION:
    'How many channels one stream may have. For many long names, raise `SLUICE_MAX_HEADER_BYTES` too: the names are in the URL',
  SLUICE_MAX_CONNECTION_AGE:
    'A stream of this age, give or take a fifth, is asked to reconnect. So new replicas get their share of streams, and a proxy that never closes streams does not keep dead ones forever. `off` for no limit',
  SLUICE_MAX_BODY_BYTES:
    'The largest body of a publish request, and the largest event of an upload, 256 MiB at most',
  SLUICE_MAX_HEADER_BYTES: 'The largest size of request line and headers together',
  SLUICE_HEAD_TIMEOUT:
    'How long the request line and headers may take to arrive. At most 30 s, the limit for a whole request',
  SLUICE_PUBLISH_RATE_PER_KEY:
    'How many events one key may publish: `100/s`, `6000/m`, `1000/h`. Each event of a list or an upload counts, and each channel of an event to several. Replicas that share a Redis count together',
  SLUICE_PUBLISH_RATE_PER_IP:
    'How many events one address may publish: `100/s`, `6000/m`, `1000/h`. Replicas that share a Redis count together',
  SLUICE_FAILED_AUTH_LIMIT:
    'How many wrong credentials one address may send. Each replica counts for itself. `off` for no limit',
  SLUICE_TRUSTED_PROXIES:
    'Addresses and networks of your proxies, such as `10.0.0.0/8,fd00::/8`. The broker trusts `X-Forwarded-For` only from these ([why it matters](operations.md#limits))',
  SLUICE_IDEMPOTENCY_TTL:
    'How long an `Idempotency-Key` is remembered. Set it to longer than your publishers retry',
  SLUICE_CONSOLE:
    'Whether the broker serves the console at `/`, the API page at `/docs`, and the modules at `/client/` that pages can import. `off` for none of them',
  SLUICE_ADMIN_PORT:
    'A separate port for health (`/livez`, `/readyz`, `/healthz`) and `/metrics`, without TLS. `PORT` then answers 404 to these paths',
  SLUICE_TLS_CERT:
    'The certificate for TLS (HTTP/2 and HTTP/1.1), in PEM, with its chain ([how](operations.md#tls))',
  SLUICE_TLS_KEY: 'The private key of that certificate, in PEM',
};
