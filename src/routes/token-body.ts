import { z } from 'zod';
import type { TokenRequest } from '../auth/token-issuer.ts';
import { parseChannelPattern } from '../events/channel-pattern.ts';
import { checked, invalidBody } from '../publish/body-faults.ts';
import { readJson, requireShort } from '../publish/json-body.ts';
import { CHANNEL_PATTERN_SCHEMA } from '../http/api/channel-schemas.ts';

const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;
const MAX_PATTERNS = 100;
const TOO_MANY = `must not have more than ${MAX_PATTERNS} patterns`;

const TTL = `must be a whole number of seconds from 1 to ${30 * DAY_S}`;
const SUB = 'must have 1 to 200 characters';

const Patterns = z
  .array(
    z
      .string('must be a channel name, a prefix followed by *, or *')
      .meta(CHANNEL_PATTERN_SCHEMA)
      .transform((text, context) => {
        const pattern = parseChannelPattern(text);
        if (pattern !== undefined) return pattern;
        context.addIssue('must be a channel name, a prefix followed by *, or *');
        return z.NEVER;
      }),
    'must be a list of channel patterns',
  )
  .max(MAX_PATTERNS, TOO_MANY)
  .default([]);

export const TokenBody = z
  .strictObject(
    {
      subscribe: Patterns.meta({ description: 'The channels that the token allows subscribing to.' }),
      publish: Patterns.meta({ description: 'The channels that the token allows publishing to.' }),
      admin: z
        .boolean('must be true or false')
        .default(false)
        .meta({ description: 'Whether the token allows looking in: channels, subscribers, status.' }),
      ttl: z
        .int(TTL)
        .min(1, TTL)
        .max(30 * DAY_S, TTL)
        .default(HOUR_S)
        .meta({ description: 'How long the token is valid, in seconds.' }),
      sub: z
        .string('must be a string')
        .min(1, SUB)
        .max(200, SUB)
        // oxlint-disable-next-line no-control-regex -- the expression refuses control characters
        .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/u, 'must not hold control characters')
        .refine((sub) => sub.isWellFormed(), 'holds half of a surrogate pair, which is not a character')
        .optional()
        .meta({ description: 'The `sub` of the token: who the token is for. No control characters.' }),
    },
    'must be a JSON object such as {"subscribe":["user.7"],"ttl":300}',
  )
  .refine(
    ({ subscribe, publish, admin }) => admin || subscribe.length + publish.length > 0,
    'grants nothing. Add a channel to subscribe or publish',
  );

const FIELDS = { names: ['subscribe', 'publish', 'admin', 'ttl', 'sub'], lists: ['subscribe', 'publish'] };

/**
 * Reads the JSON body of `POST /tokens` (docs/protocol.md §7).
 * @throws BrokerError `invalid-body` with a pointer to each fault, `body-too-large`
 */
export function parseTokenBody(body: Buffer): TokenRequest {
  requireShort(body);
  const { value, more } = readJson(body, FIELDS);
  requireFewPatterns(value);
  const { sub, ...rest } = checked(TokenBody, value, 'a request for a token', more);
  return { ...rest, subject: sub };
}

/** Runs before the schema, because the schema checks each pattern before it counts them. */
function requireFewPatterns(value: unknown): void {
  const fields = value as Partial<Record<string, unknown>> | null;
  const faults = ['subscribe', 'publish']
    .filter((name) => {
      const patterns = fields?.[name];
      return Array.isArray(patterns) && patterns.length > MAX_PATTERNS;
    })
    .map((name) => ({ pointer: `/${name}`, detail: TOO_MANY }));
  if (faults.length > 0) throw invalidBody(faults);
}
