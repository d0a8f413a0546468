import type { SettingName } from './settings.ts';

/**
 * What each setting is for, in Markdown: a cell of the table in docs/operations.md, which `npm run docs` writes. Its
 * form and default are taken from the setting itself.
 */
export const SETTING_DESCRIPTIONS: Readonly<Record<SettingName, string>> = {
  PORT: 'Where publishers and subscribers connect. With 0 the system picks a free port, and the log says which',
  HOST: 'The address to listen on; `0.0.0.0` and `::` are all of the machine',
  LOG_LEVEL:
    'How much is logged, as JSON lines on stdout. At `warn` a replica is silent as long as all is well',
  REDIS_URL:
    'Where events are kept and announced, see [Redis](operations.md#redis). Without it they are kept in the process, which is then the only replica',
  SLUICE_REDIS_PREFIX:
    'Begins every name in Redis. Brokers with different prefixes share a Redis and nothing else',
  SLUICE_REDIS_WAIT_REPLICAS:
    'A publish is acknowledged only when so many replicas of Redis have it; with fewer within 500 ms the answer is 503. For failovers that lose nothing acknowledged, at the price of a round trip',
  SLUICE_PUBLISH_KEYS:
    'Who has one of these may publish. Several, so that a key can be changed: add the new one, move the publishers, take the old one away. Without any, one is made for each run and logged',
  SLUICE_PUBLIC_CHANNELS: 'Channels that anyone may listen to',
  SLUICE_CORS_ORIGINS:
    'Other origins whose pages may subscribe and publish. Not needed where the page comes from the same origin as the broker, say behind one proxy',
  SLUICE_HISTORY_SIZE:
    'Events kept for each channel. A subscriber that was away for longer than they last is told by a gap',
  SLUICE_HISTORY_TTL: 'How long an event is kept, and so how long a subscriber may be away',
  SLUICE_MEMORY_BYTES: 'Without Redis: what all events together may take. The oldest go first',
  SLUICE_HEARTBEAT:
    'A stream is never silent for longer, so that no proxy takes it for dead. Below a half of the shortest limit for silence on the way; see [proxies](proxies.md)',
  SLUICE_RETRY:
    'After how long a browser reconnects; each connection is given its own time, from half of this to one and a half times. Longer spreads [a storm](scaling.md#where-the-walls-stand)',
  SLUICE_STALL_TIMEOUT: 'A reader whose connection takes nothing for so long is cut off; it can resume',
  SLUICE_DRAIN_WINDOW:
    'At a shutdown, streams are ended evenly over this time. Whatever stops the process has to give it longer',
  SLUICE_MAX_CONNECTIONS:
    'Streams at once on this replica; more are asked to come back in 5 to 15 s. What a replica takes: [sizing](operations.md#sizing)',
  SLUICE_MAX_CONNECTION_AGE:
    'A stream is asked to reconnect at this age, give or take a fifth, so that a replica that was added gets its share',
  SLUICE_MAX_BODY_BYTES: 'The largest publish. A proxy in front has a limit of its own, often 1 MiB as well',
  SLUICE_IDEMPOTENCY_TTL:
    'How long an `Idempotency-Key` is remembered: longer than a publisher goes on trying',
  SLUICE_ADMIN_PORT: 'Moves health and metrics to a port of their own, which the proxy does not pass on',
};
