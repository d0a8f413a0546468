import { z } from 'zod';
import type { BrokerErrorCode } from '../events/errors.ts';
import { CHANNEL_NAME_SCHEMA, CHANNEL_PREFIX } from '../events/channel-name.ts';
import { CHANNEL_PARAMETER, EVENT_ID_SCHEMA } from '../http/api/channel-schemas.ts';
import { jsonBodyOf, textOf } from '../http/api/json-schema.ts';
import { TAGS } from '../http/api/operation.ts';
import type { Operation, Parameter } from '../http/api/operation.ts';
import { problemExample } from '../http/api/problem-answers.ts';
import { BUSIEST, LIMIT, MAX_SUBJECT } from './inspection-query.ts';

const CREDENTIALS = ['publishKey', 'adminToken'] as const;
const REFUSALS: readonly BrokerErrorCode[] = [
  'unauthorized',
  'forbidden',
  'too-many-requests',
  'invalid-query',
  'keys-unavailable',
];

const Channel = z.string().meta(CHANNEL_NAME_SCHEMA);
const Id = z.string().meta(EVENT_ID_SCHEMA);
const Count = z.int().min(0);
const Complete = z.boolean().meta({
  description: 'Whether every replica answered within half a second. Counts without it are too small.',
});

const Summary = z.object({
  channel: Channel,
  first: Id.nullable().meta({ description: 'The oldest kept event; null without one.' }),
  last: Id.meta({ description: 'The id of the newest event, even when that event is no longer kept.' }),
  length: Count.meta({ description: 'The number of kept events.' }),
  ended: z.boolean(),
});
const Page = z.object({
  channels: z
    .array(Summary)
    .meta({ description: 'In no order. A page may be empty and still have a `next`.' }),
  next: z.string().nullable().meta({ description: 'The `after` of the next page; null on the last page.' }),
});
const Counted = z
  .array(z.object({ channel: Channel, count: Count }))
  .meta({ description: 'The largest count first.' });
const Busiest = z.object({
  seconds: Count.meta({ description: 'Deliveries and publishes are those of this many seconds.' }),
  deliveries: Counted,
  publishes: Counted,
  subscribers: Counted,
  complete: Complete,
});
const Description = Summary.extend({
  bytes: Count.meta({ description: 'Estimated: the memory that the channel takes in the log.' }),
  keys: Count.meta({ description: 'The number of keys.' }),
  policy: z.object({
    history: z.object({
      size: Count,
      ttl: Count.meta({ description: 'In milliseconds.' }),
    }),
    public: z.boolean(),
    latest: z.boolean().meta({ description: 'Whether events without a key share one key.' }),
    keys: Count.meta({ description: 'The largest number of keys.' }),
  }),
  subscribers: Count,
  complete: Complete,
});
const Subscribers = z.object({
  channel: Channel,
  count: Count.meta({ description: 'All subscribers, or all with this `sub`. The list may be shorter.' }),
  subscribers: z.array(
    z.object({
      sub: z.string().nullable().meta({ description: 'The `sub` of the token; null without one.' }),
      replica: z.string(),
      since: z.iso.datetime().meta({ description: 'When the stream opened.' }),
      position: Id.nullable().meta({
        description: 'The last event written to the stream; null while it is not known where it begins.',
      }),
      behind: Count.nullable().meta({ description: 'How many kept events come after the position.' }),
    }),
  ),
  complete: Complete,
});
const Replica = z.object({
  replica: z.string(),
  version: z.string(),
  uptime: Count.meta({ description: 'In seconds.' }),
  streams: Count.meta({ description: 'Open streams.' }),
  published: Count.optional().meta({
    description:
      'Events published at this replica since its start. A replica of an older version sends no counts of events.',
  }),
  delivered: Count.optional().meta({
    description: 'Events written to live streams of this replica since its start, summed over subscribers.',
  }),
});
const Status = Replica.extend({
  log: z.object({
    kind: z.enum(['embedded', 'disk', 'redis']),
    up: z.boolean(),
    trouble: z.string().nullable(),
  }),
  replicas: z.array(Replica),
  settings: z.record(z.string(), z.string()).meta({
    description: 'The settings of this replica by their names, with defaults. `set` stands for a secret.',
  }),
  complete: Complete,
});

const limit = (of: string): Parameter => ({
  name: 'limit',
  in: 'query',
  description: of,
  schema: { ...textOf(LIMIT), default: '100' },
});

/** `GET /channels` */
export const LIST_CHANNELS: Operation = {
  id: 'listChannels',
  tag: TAGS.inspection,
  summary: 'List channels, or the busiest ones',
  description:
    'Lists the channels that the log knows, in pages and in no order. A channel may come twice while channels are added. With `busiest`, lists the busiest channels of the last minute instead.',
  credentials: CREDENTIALS,
  parameters: [
    {
      name: 'prefix',
      in: 'query',
      description: 'Lists only channels whose names begin with this text.',
      schema: textOf(CHANNEL_PREFIX),
    },
    { name: 'after', in: 'query', description: 'The `next` of the page before.', schema: { type: 'string' } },
    limit('About how many channels a page has: 1 to 1,000. It ends when it has this many, or earlier.'),
    {
      name: 'busiest',
      in: 'query',
      description:
        'How long each list of the busiest channels is: 1 to 100. It excludes the other parameters.',
      schema: textOf(BUSIEST),
    },
  ],
  answers: {
    200: {
      description: 'A page of channels, or with `busiest` three lists.',
      content: jsonBodyOf(z.union([Page, Busiest])),
    },
  },
  refusals: [...REFUSALS, 'log-unavailable'],
  examples: [
    {
      name: 'page',
      summary: 'Channels that begin with a prefix',
      parameters: { prefix: 'orders.', limit: '100' },
      status: 200,
      answer: {
        channels: [
          {
            channel: 'orders.42',
            first: '1763596800000-0',
            last: '1763596809000-0',
            length: 12,
            ended: false,
          },
        ],
        next: null,
      },
    },
    {
      name: 'busiest',
      summary: 'The busiest channels of the last minute',
      parameters: { busiest: '20' },
      status: 200,
      answer: {
        seconds: 60,
        deliveries: [{ channel: 'news', count: 48000 }],
        publishes: [{ channel: 'orders.42', count: 600 }],
        subscribers: [{ channel: 'news', count: 800 }],
        complete: true,
      },
    },
    {
      name: 'limit',
      summary: 'A limit that is too large',
      parameters: { limit: '10000' },
      status: 400,
      answer: problemExample('invalid-query', 'limit= takes a whole number from 1 to 1000.'),
    },
  ],
};

/** `GET /channels/:channel` */
export const DESCRIBE_CHANNEL: Operation = {
  id: 'describeChannel',
  tag: TAGS.inspection,
  summary: 'Describe a channel',
  description:
    'Says what the log has of the channel, which policy is in force, and how many subscribe. A channel that nobody has used has no events.',
  credentials: CREDENTIALS,
  parameters: [CHANNEL_PARAMETER],
  answers: { 200: { description: 'The channel.', content: jsonBodyOf(Description) } },
  refusals: [...REFUSALS, 'invalid-channel', 'log-unavailable'],
  examples: [
    {
      name: 'channel',
      summary: 'A channel with two subscribers',
      parameters: { channel: 'orders.42' },
      status: 200,
      answer: {
        channel: 'orders.42',
        first: '1763596800000-0',
        last: '1763596809000-0',
        length: 12,
        bytes: 5120,
        ended: false,
        keys: 0,
        policy: { history: { size: 1000, ttl: 86400000 }, public: false, latest: false, keys: 1000 },
        subscribers: 2,
        complete: true,
      },
    },
  ],
};

/** `GET /channels/:channel/subscribers` */
export const LIST_SUBSCRIBERS: Operation = {
  id: 'listSubscribers',
  tag: TAGS.inspection,
  summary: 'List the subscribers of a channel',
  description: 'Asks every replica who listens to the channel now, and how far each stream is.',
  credentials: CREDENTIALS,
  parameters: [
    CHANNEL_PARAMETER,
    {
      name: 'sub',
      in: 'query',
      description: 'Lists only streams of tokens with this `sub`.',
      schema: { type: 'string', minLength: 1, maxLength: MAX_SUBJECT },
    },
    limit('How many subscribers the answer lists at the most: 1 to 1,000.'),
  ],
  answers: { 200: { description: 'The subscribers.', content: jsonBodyOf(Subscribers) } },
  refusals: [...REFUSALS, 'invalid-channel', 'log-unavailable'],
  examples: [
    {
      name: 'subject',
      summary: 'The streams of one visitor',
      parameters: { channel: 'orders.42', sub: '7' },
      status: 200,
      answer: {
        channel: 'orders.42',
        count: 1,
        subscribers: [
          {
            sub: '7',
            replica: 'web-1-5e0c81f2',
            since: '2025-11-20T00:00:00.000Z',
            position: '1763596809000-0',
            behind: 0,
          },
        ],
        complete: true,
      },
    },
  ],
};

const FIRST_REPLICA = {
  replica: 'web-1-5e0c81f2',
  version: '1.2.3',
  uptime: 86400,
  streams: 812,
  published: 51840,
  delivered: 4147200,
};

/** `GET /status` */
export const READ_STATUS: Operation = {
  id: 'readStatus',
  tag: TAGS.inspection,
  summary: 'Read the status of the broker',
  description:
    'Says which replicas answer, how the log is, and which settings are in force. Without Redis the answer is about this replica alone.',
  credentials: CREDENTIALS,
  answers: { 200: { description: 'The status.', content: jsonBodyOf(Status) } },
  refusals: REFUSALS,
  examples: [
    {
      name: 'status',
      summary: 'Two replicas',
      status: 200,
      answer: {
        ...FIRST_REPLICA,
        log: { kind: 'redis', up: true, trouble: null },
        replicas: [FIRST_REPLICA, { ...FIRST_REPLICA, replica: 'web-2-07bd93aa', streams: 790 }],
        settings: { PORT: '3000', SLUICE_PUBLISH_KEYS: 'set', SLUICE_HISTORY_SIZE: '1000' },
        complete: true,
      },
    },
  ],
};
