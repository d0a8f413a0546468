import { z } from 'zod';
import type { IssuedToken } from '../../auth/token-issuer.ts';
import { TokenBody } from '../token-body.ts';
import { jsonBodyOf } from './json-schema.ts';
import { TAGS } from './operation.ts';
import type { Operation } from './operation.ts';
import { OF_A_BODY, problemExample } from './problem-answers.ts';

const Issued = z.object({
  token: z.string().meta({ description: 'A JWT, signed with `SLUICE_JWT_SECRET`.' }),
  expires: z.int().meta({ description: 'Its `exp`: seconds since 1970.' }),
} satisfies Record<keyof IssuedToken, z.ZodType>);

/** `POST /tokens` */
export const MAKE_TOKEN: Operation = {
  id: 'makeToken',
  tag: TAGS.credentials,
  summary: 'Make a token',
  description:
    'So that a backend needs no JWT library. It takes a publish key, not a token, and needs `SLUICE_JWT_SECRET`. At least one channel has to be granted.',
  credentials: ['publishKey'],
  body: {
    required: true,
    description:
      'At least one pattern in `subscribe` or `publish`. The token that it makes must have 8,192 characters at most: 100 patterns of 200 characters have more, and are a 400.',
    ...jsonBodyOf(TokenBody, {
      anyOf: ['subscribe', 'publish'].map((list) => ({
        required: [list],
        properties: { [list]: { minItems: 1 } },
      })),
    }),
  },
  answers: {
    200: {
      description: 'The token.',
      content: jsonBodyOf(Issued),
    },
  },
  refusals: [...OF_A_BODY, 'tokens-unavailable'],
  examples: [
    {
      name: 'subscriber',
      summary: 'For a visitor, five minutes',
      body: { subscribe: ['user.7'], ttl: 300, sub: '7' },
      status: 200,
      answer: { token: 'eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl', expires: 1763600400 },
    },
    {
      name: 'publisher',
      summary: 'For a publisher, an hour',
      body: { publish: ['orders.*'] },
      status: 200,
      answer: { token: 'eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl', expires: 1763600400 },
    },
    {
      name: 'nothing',
      summary: 'No channel at all',
      body: { sub: '7' },
      status: 400,
      answer: problemExample(
        'invalid-body',
        'The body grants nothing; give it a channel in subscribe or publish.',
        [{ pointer: '', detail: 'grants nothing; give it a channel in subscribe or publish' }],
      ),
    },
    {
      name: 'invalidBody',
      summary: 'A star where none can be',
      body: { subscribe: ['user.*.inbox'] },
      status: 400,
      answer: problemExample(
        'invalid-body',
        'subscribe/0 must be a channel name, a prefix followed by *, or *.',
        [{ pointer: '/subscribe/0', detail: 'must be a channel name, a prefix followed by *, or *' }],
      ),
    },
  ],
};
