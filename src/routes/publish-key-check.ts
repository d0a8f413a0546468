import type { FastifyInstance, FastifyRequest } from 'fastify';
import { bearerToken } from '../auth/bearer.ts';
import type { PublishKeys } from '../auth/publish-keys.ts';
import type { PublisherAccess } from '../auth/publisher-access.ts';
import { BrokerError } from '../events/errors.ts';
import { clientAddress } from '../http/client-address.ts';
import { compressedBody } from '../http/request-bodies.ts';

export interface PublishKeyCheckOptions {
  readonly keys: Pick<PublishKeys, 'accepts'>;
  readonly publishers: Pick<PublisherAccess, 'of'>;
}

/**
 * Makes every route of `app` require a publish key, not a token, and a body that is not compressed. Checks both before the body
 * is read, so that the broker parses no body of a client without a key.
 */
export function requirePublishKey(app: FastifyInstance, { keys, publishers }: PublishKeyCheckOptions): void {
  app.addHook('onRequest', async (request) => {
    const key = bearerToken(request.headers.authorization);
    const refusal =
      key !== undefined && keys.accepts(key)
        ? compressedBody(request.headers)
        : await refusalOf(request, key, publishers);
    if (refusal !== undefined) throw refusal;
  });
}

async function refusalOf(
  request: FastifyRequest,
  credential: string | undefined,
  publishers: PublishKeyCheckOptions['publishers'],
): Promise<BrokerError> {
  const access = await publishers.of(credential, clientAddress(request));
  if (access instanceof BrokerError) return access;
  return new BrokerError('forbidden', 'A token is not enough for this request. Send a publish key.');
}
