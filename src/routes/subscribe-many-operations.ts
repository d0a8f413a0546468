import { CHANNEL_NAME_SCHEMA } from '../events/channel-name.ts';
import type { Operation, Parameter } from '../http/api/operation.ts';
import { problemExample } from '../http/api/problem-answers.ts';
import { SUBSCRIBE, SUBSCRIBE_HEAD } from './subscribe-operations.ts';

const PARAMETERS: readonly Parameter[] = [
  {
    name: 'channel',
    in: 'query',
    required: true,
    description:
      'The channels, each in a parameter of its own: `channel=a&channel=b`. `SLUICE_MAX_CHANNELS_PER_CONNECTION` (100) at most. A channel that is named twice is a 400.',
    schema: {
      type: 'array',
      items: { type: 'string', ...CHANNEL_NAME_SCHEMA },
      minItems: 1,
      uniqueItems: true,
    },
  },
  ...(SUBSCRIBE.parameters ?? []).filter(({ name }) => !['channel', 'only', 'plain'].includes(name)),
];

const NOTHING_LEFT: Operation['answers'][number] = {
  description: 'The cursor is at the end of every channel. There is no stream.',
};

const STREAM = [
  'retry: 2000',
  ':',
  'id: news@1763596800000-0,~GLPpr_0-0.',
  'event: created',
  'data: {"total":12}',
  '',
  'id: news@1763596800000-0,~GLPpr_0-0.',
  'event: sluice:ready',
  'data: {"channels":{"news":"1763596800000-0","news.de":"0-0"}}',
  '',
  '',
].join('\n');

/** `GET /events?channel=` */
export const SUBSCRIBE_MANY: Operation = {
  ...SUBSCRIBE,
  id: 'subscribeToMany',
  summary: 'Subscribe to several channels on one connection',
  description: [
    'Opens one stream with the events of all channels. It is like the stream of one channel, but for this:',
    [
      '- The id of an event is `<channel>@<event id>,<rest>`. The text before the `@` is the channel of the event. The rest holds the positions in the other channels.',
      '- The order of the events is kept within each channel. Between channels there is no order.',
      '- `sluice:gap` comes for each channel that may miss events. `sluice:ready` comes once, when all channels are live or have ended.',
      '- `sluice:end` comes for each channel that ends. The stream ends with the last of them. A cursor that is at the end of every channel is a 204.',
      '- All channels have to be allowed. The refusal names the first one that is not.',
    ].join('\n'),
    'A reconnect may name other channels. Those that stay keep their position, and new ones start live. A cursor may also be a list, `a@1-0,b@2-0`.',
  ].join('\n\n'),
  parameters: PARAMETERS,
  answers: { ...SUBSCRIBE.answers, 204: NOTHING_LEFT },
  refusals: ['invalid-channel', 'invalid-query', 'unauthorized', 'forbidden'],
  examples: [
    {
      name: 'keptOfMany',
      summary: 'Start with the newest event of each channel',
      parameters: { channel: ['news', 'news.de'], last: '1' },
      status: 200,
      answer: STREAM,
    },
    {
      name: 'twice',
      summary: 'A channel that is named twice',
      parameters: { channel: ['news', 'news'] },
      status: 400,
      answer: problemExample('invalid-query', 'The query names the channel news twice.'),
    },
    {
      name: 'notAllowed',
      summary: 'A channel that is not public, without a token',
      parameters: { channel: ['news', 'user.7'] },
      status: 401,
      answer: problemExample(
        'unauthorized',
        'The channel user.7 is not public (SLUICE_PUBLIC_CHANNELS and SLUICE_CHANNELS do not make it public). Send a token that grants it.',
        [],
        { channel: 'user.7' },
      ),
    },
  ],
};

/** `HEAD /events?channel=` */
export const SUBSCRIBE_MANY_HEAD: Operation = {
  ...SUBSCRIBE_HEAD,
  id: 'subscribeToManyHead',
  summary: 'Ask whether a subscription to several channels would be allowed',
  parameters: PARAMETERS,
  answers: { ...SUBSCRIBE_HEAD.answers, 204: NOTHING_LEFT },
  refusals: [...(SUBSCRIBE_MANY.refusals ?? []), 'too-many-requests', 'keys-unavailable'],
};
