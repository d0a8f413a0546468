import { z } from 'zod';
import type { IssuedToken } from '../auth/token-issuer.ts';
import { TokenBody } from './token-body.ts';
import { jsonBodyOf } from '../http/api/json-schema.ts';
import { TAGS } from '../http/api/operation.ts';
import type { Operation } from '../http/api/operation.ts';
import { OF_A_BODY, problemExample } from '../http/api/problem-answers.ts';

const Issued = z.object({
  token: z.string().meta({ description: 'A JWT, signed with `SLUICE_JWT_SECRET`.' }),
  expires: z.int().meta({ description: 'The `exp` of the token, in seconds since 1970.' }),
} satisfies Record<keyof IssuedToken, z.ZodType>);

/** `POST /tokens` */
export const MAKE_TOKEN: Operation = {
  id: 'makeToken',
  tag: TAGS.credentials,
  summary: 'Make a token',
  description:
    'Makes a token, so that a backend needs no JWT library. This needs a publish key; a token is not enough. The broker needs `SLUICE_JWT_SECRET`. The token has to grant at least one channel, or `admin`.',
  credentials: ['publishKey'],
  body: {
    required: true,
    description:
      'Needs at least one pattern in `subscribe` or `publish`, or `admin`. The token may have at most 8,192 characters. A request for a longer token, such as one with 100 patterns of 200 characters, is a 400.',
    ...jsonBodyOf(TokenBody, {
      anyOf: [
        ...['subscribe', 'publish'].map((list) => ({
          required: [list],
          properties: { [list]: { minItems: 1 } },
        })),
        { required: ['admin'], properties: { admin: { const: true } } },
      ],
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
      summary: 'For a visitor, valid for five minutes',
      body: { subscribe: ['user.7'], ttl: 300, sub: '7' },
      status: 200,
      answer: { token: 'eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl', expires: 1763600400 },
    },
    {
      name: 'publisher',
      summary: 'For a publisher, valid for an hour',
      body: { publish: ['orders.*'] },
      status: 200,
      answer: { token: 'eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl', expires: 1763600400 },
    },
    {
      name: 'admin',
      summary: 'For a dashboard that looks in',
      body: { admin: true, ttl: 3600 },
      status: 200,
      answer: { token: 'eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl', expires: 1763600400 },
    },
    {
      name: 'nothing',
      summary: 'Without a channel',
      body: { sub: '7' },
      status: 400,
      answer: problemExample(
        'invalid-body',
        'The body grants nothing. Add a channel to subscribe or publish.',
        [{ pointer: '', detail: 'grants nothing. Add a channel to subscribe or publish' }],
      ),
    },
    {
      name: 'invalidBody',
      summary: 'A star that is not at the end',
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
