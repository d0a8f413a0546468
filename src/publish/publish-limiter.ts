import { hash } from 'node:crypto';
import fastifyRateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { bearerToken } from '../auth/bearer.ts';
import { BrokerError } from '../core/errors.ts';
import type { Rate, RateCounter } from '../core/rate.ts';
import type { OnRefusedRequest, RefusedRequest } from '../core/refused-request.ts';
import { clientAddress } from './client-address.ts';
import { sharedRateStore } from './shared-rate-store.ts';

export interface PublishRateOptions {
  /** Undefined for no limit. */
  readonly perKey: Rate | undefined;
  readonly perAddress: Rate | undefined;
  /** Counts for all replicas together; without one, this process counts what it sees itself. */
  readonly counter: RateCounter | undefined;
  /** A publish was let through without being counted. */
  readonly onUncounted: () => void;
  readonly onRefused: OnRefusedRequest;
}

interface Limit {
  readonly name: 'key' | 'ip';
  readonly rate: Rate;
  readonly reason: RefusedRequest;
  readonly whose: (request: FastifyRequest) => string;
}

/**
 * Refuses publishes beyond the rates with 429, before their body is read, and says with every answer how much is left
 * (draft-ietf-httpapi-ratelimit-headers). For hooks that come behind the one that checks the credential: who may not
 * publish is not counted.
 */
export async function limitPublishRates(app: FastifyInstance, options: PublishRateOptions): Promise<void> {
  const limits = limitsOf(options);
  if (limits.length === 0) return;
  const { counter, onUncounted, onRefused } = options;
  await app.register(fastifyRateLimit, {
    global: false,
    ...(counter !== undefined && { store: sharedRateStore(counter, onUncounted) }),
  });
  const counters = limits.map((limit) => ({
    limit,
    count: app.createRateLimit({
      max: limit.rate.limit,
      timeWindow: limit.rate.window,
      keyGenerator: (request) => `${limit.name}:${limit.whose(request)}`,
    }),
  }));
  const policies = limits
    .map(({ name, rate }) => `"${name}";q=${rate.limit};w=${rate.window / 1_000}`)
    .join(', ');

  app.addHook('onRequest', async (request, reply) => {
    // At the same time: together they may take no longer than one.
    const states = await Promise.all(
      counters.map(async ({ limit, count }) => ({ limit, state: await count(request) })),
    );
    const left: string[] = [];
    let refused: { limit: Limit; seconds: number } | undefined;
    for (const { limit, state } of states) {
      if (state.isAllowed) continue;
      left.push(`"${limit.name}";r=${state.remaining};t=${state.ttlInSeconds}`);
      if (state.isExceeded && state.ttlInSeconds >= (refused?.seconds ?? 0))
        refused = { limit, seconds: Math.max(1, state.ttlInSeconds) };
    }
    reply.headers({ 'ratelimit-policy': policies, ratelimit: left.join(', ') });
    if (refused === undefined) return;
    onRefused(refused.limit.reason, clientAddress(request));
    throw tooMany(refused.limit, refused.seconds);
  });
}

function limitsOf({ perKey, perAddress }: PublishRateOptions): Limit[] {
  const limits: Limit[] = [];
  if (perKey !== undefined) limits.push({ name: 'key', rate: perKey, reason: 'key-rate', whose: keyDigest });
  if (perAddress !== undefined)
    limits.push({ name: 'ip', rate: perAddress, reason: 'ip-rate', whose: clientAddress });
  return limits;
}

/** The same on every replica, and of no use to whoever can read it in Redis: keys are long and random. */
function keyDigest({ headers }: FastifyRequest): string {
  return hash('sha256', `publish-rate:${bearerToken(headers.authorization) ?? ''}`, 'base64url').slice(0, 22);
}

function tooMany({ name, rate }: Limit, seconds: number): BrokerError {
  const whose = name === 'key' ? 'this key' : 'this address';
  return new BrokerError(
    'too-many-requests',
    `More than ${rate.limit} publishes in ${rate.window / 1_000} s came from ${whose}. Nothing was published; try again in ${seconds} s.`,
    { retryAfter: seconds },
  );
}
