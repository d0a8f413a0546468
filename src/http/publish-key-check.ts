import type { FastifyInstance, FastifyRequest } from 'fastify';
import { bearerToken } from '../auth/bearer.ts';
import type { PublishKeys } from '../auth/publish-keys.ts';
import { BrokerError } from '../core/errors.ts';

/**
 * Every route of `app` needs a publish key, and a body that is not compressed. Checked before the body is read: who may
 * not does not get to make us parse.
 */
export function requirePublishKey(app: FastifyInstance, keys: Pick<PublishKeys, 'accepts'>): void {
  app.addHook('onRequest', (request, _reply, done) => done(refusalOf(request, keys)));
}

/** Why the request is refused, whatever is in it; undefined when it is not. */
function refusalOf({ headers }: FastifyRequest, keys: Pick<PublishKeys, 'accepts'>): BrokerError | undefined {
  const key = bearerToken(headers.authorization);
  if (key === undefined) {
    return new BrokerError(
      'unauthorized',
      'This needs a publish key: send Authorization: Bearer <publish key>.',
    );
  }
  if (!keys.accepts(key))
    return new BrokerError('unauthorized', 'This publish key is not one of SLUICE_PUBLISH_KEYS.');
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return undefined;
  return new BrokerError(
    'unsupported-media-type',
    'Compressed bodies are not taken: send it without Content-Encoding.',
  );
}
