import { z } from 'zod';
import { CHANNEL_NAME_SCHEMA } from '../events/channel-name.ts';
import { CHANNEL_PARAMETER, EVENT_ID_SCHEMA, EVENT_OBJECT } from '../http/api/channel-schemas.ts';
import { jsonSchemaOf } from '../http/api/json-schema.ts';
import { TAGS } from '../http/api/operation.ts';
import type { Operation } from '../http/api/operation.ts';
import { problemExample } from '../http/api/problem-answers.ts';
import { SUBSCRIBE } from './subscribe-operations.ts';

const State = z.object({
  channel: z.string().meta(CHANNEL_NAME_SCHEMA),
  events: z
    .array(EVENT_OBJECT)
    .meta({ description: 'The newest event of each key, in the order of their ids.' }),
  position: z
    .string()
    .meta({ ...EVENT_ID_SCHEMA, description: "The channel's tail: the cursor with which a stream goes on." }),
  ended: z.boolean().meta({ description: 'Whether the position is the end of the channel.' }),
});

/** `GET` and `HEAD` of `/channels/:channel/state` */
export const READ_STATE: Operation = {
  id: 'readState',
  tag: TAGS.subscribing,
  summary: "Read a channel's state as JSON",
  description:
    'The newest event of each key, read from the log in one step. A stream with `position` as its cursor goes on from there and misses nothing. A state of more than 2 MiB is a 413: read it with `?state` on a stream.',
  credentials: SUBSCRIBE.credentials ?? [],
  parameters: [CHANNEL_PARAMETER],
  answers: {
    200: {
      description: 'The state. A channel without keys has no events here.',
      headers: ['Sluice-Position'],
      content: { mediaType: 'application/json', schema: jsonSchemaOf(State) },
    },
  },
  refusals: [
    'invalid-channel',
    'invalid-query',
    'unauthorized',
    'forbidden',
    'state-too-large',
    'too-many-requests',
    'keys-unavailable',
    'log-unavailable',
    'overloaded',
  ],
  examples: [
    {
      name: 'noKeys',
      summary: 'A channel whose events have no key',
      parameters: { channel: 'news' },
      status: 200,
      answer: { channel: 'news', events: [], position: '1763596800000-0', ended: false },
    },
    {
      name: 'unauthorized',
      summary: 'A channel that is not public, without a token',
      parameters: { channel: 'user.7' },
      status: 401,
      answer: problemExample(
        'unauthorized',
        'This channel is not public (SLUICE_PUBLIC_CHANNELS and SLUICE_CHANNELS do not make it public). Send a token that grants it.',
      ),
    },
  ],
};
