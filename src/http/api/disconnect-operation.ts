import { z } from 'zod';
import { DisconnectBody } from '../disconnect-body.ts';
import { jsonBodyOf } from './json-schema.ts';
import { TAGS } from './operation.ts';
import type { Operation } from './operation.ts';
import { OF_A_BODY, problemExample } from './problem-answers.ts';

const Disconnected = z.object({
  disconnected: z
    .int()
    .meta({ description: 'Streams that were ended, over all replicas that have answered.' }),
  replicas: z.array(
    z.object({
      replica: z.string().meta({ description: 'As it calls itself in the log line of its start.' }),
      disconnected: z.int(),
    }),
  ),
  complete: z.boolean().meta({ description: 'Whether every replica has answered within half a second.' }),
});

/** `POST /disconnect` */
export const DISCONNECT: Operation = {
  id: 'disconnect',
  tag: TAGS.credentials,
  summary: 'End streams, and revoke tokens',
  description:
    'Ends the streams of a channel, of the tokens with a `sub`, or of both together, on every replica. With `revoke` the tokens that were issued until now are refused from then on, for `SLUICE_REVOCATION_TTL`. It takes a publish key, not a token.',
  credentials: ['publishKey'],
  body: {
    required: true,
    description: 'At least one of `sub` and `channel`; with both, a stream has to match both.',
    ...jsonBodyOf(DisconnectBody, { anyOf: [{ required: ['sub'] }, { required: ['channel'] }] }),
  },
  answers: {
    200: {
      description: 'Done, on the replicas that are named.',
      content: jsonBodyOf(Disconnected),
    },
  },
  refusals: [...OF_A_BODY, 'invalid-channel', 'log-unavailable', 'log-full', 'revocations-full'],
  examples: [
    {
      name: 'channel',
      summary: 'All streams of a channel',
      body: { channel: 'orders.42' },
      status: 200,
      answer: {
        disconnected: 5,
        replicas: [
          { replica: 'web-1-5e0c81f2', disconnected: 2 },
          { replica: 'web-2-07bd93aa', disconnected: 3 },
        ],
        complete: true,
      },
    },
    {
      name: 'revoke',
      summary: 'A visitor who may no longer listen',
      body: { sub: '7', revoke: true },
      status: 200,
      answer: {
        disconnected: 1,
        replicas: [{ replica: 'web-1-5e0c81f2', disconnected: 1 }],
        complete: true,
      },
    },
    {
      name: 'nothing',
      summary: 'Neither a sub nor a channel',
      body: { revoke: true },
      status: 400,
      answer: problemExample(
        'invalid-body',
        'The body names neither sub nor channel; send {"channel":"news"} or {"sub":"7","revoke":true}.',
        [
          {
            pointer: '',
            detail: 'names neither sub nor channel; send {"channel":"news"} or {"sub":"7","revoke":true}',
          },
        ],
      ),
    },
    {
      name: 'invalidBody',
      summary: 'A sub that is no text',
      body: { sub: 7 },
      status: 400,
      answer: problemExample('invalid-body', 'sub must be a string.', [
        { pointer: '/sub', detail: 'must be a string' },
      ]),
    },
  ],
};
