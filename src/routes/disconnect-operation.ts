import { z } from 'zod';
import { DisconnectBody } from './disconnect-body.ts';
import { jsonBodyOf } from '../http/api/json-schema.ts';
import { TAGS } from '../http/api/operation.ts';
import type { Operation } from '../http/api/operation.ts';
import { OF_A_BODY, problemExample } from '../http/api/problem-answers.ts';

const Disconnected = z.object({
  disconnected: z
    .int()
    .meta({ description: 'How many streams were ended, summed over the replicas that answered.' }),
  replicas: z.array(
    z.object({
      replica: z.string().meta({ description: "The replica's name, which it logs when it starts." }),
      disconnected: z.int(),
    }),
  ),
  complete: z.boolean().meta({ description: 'Whether every replica answered within half a second.' }),
});

/** `POST /disconnect` */
export const DISCONNECT: Operation = {
  id: 'disconnect',
  tag: TAGS.credentials,
  summary: 'End streams, and revoke tokens',
  description:
    'Ends the streams of a channel, of a token subject (`sub`), or of this subject on this channel, on every replica. With `revoke`, the broker also refuses the tokens that were issued until now. It refuses them for `SLUICE_REVOCATION_TTL`. This needs a publish key; a token is not enough.',
  credentials: ['publishKey'],
  body: {
    required: true,
    description: 'Needs `sub` or `channel`. If both are given, a stream has to match both.',
    ...jsonBodyOf(DisconnectBody, { anyOf: [{ required: ['sub'] }, { required: ['channel'] }] }),
  },
  answers: {
    200: {
      description: 'The listed replicas have ended the streams.',
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
      summary: 'A visitor who may no longer subscribe',
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
        'The body needs sub or channel, such as {"channel":"news"} or {"sub":"7","revoke":true}.',
        [
          {
            pointer: '',
            detail: 'needs sub or channel, such as {"channel":"news"} or {"sub":"7","revoke":true}',
          },
        ],
      ),
    },
    {
      name: 'invalidBody',
      summary: 'A sub that is not a string',
      body: { sub: 7 },
      status: 400,
      answer: problemExample('invalid-body', 'sub must be a string.', [
        { pointer: '/sub', detail: 'must be a string' },
      ]),
    },
  ],
};
