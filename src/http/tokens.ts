import type { FastifyInstance } from 'fastify';
import { bearerToken } from '../auth/bearer.ts';
import type { PublishKeys } from '../auth/publish-keys.ts';
import { MAX_TOKEN_LENGTH } from '../auth/token-header.ts';
import type { TokenIssuer } from '../auth/token-issuer.ts';
import { BrokerError } from '../core/errors.ts';
import { MAKE_TOKEN } from './api/token-operations.ts';
import { clientAddress } from './client-address.ts';
import { invalidBody } from './json-body.ts';
import type { PublisherAccess } from './publisher-access.ts';
import { parseTokenBody } from './token-body.ts';

export interface TokenRoutesOptions {
  readonly keys: Pick<PublishKeys, 'accepts'>;
  readonly publishers: Pick<PublisherAccess, 'of'>;
  /** Undefined where this broker has no secret to sign with. */
  readonly issuer: Pick<TokenIssuer, 'issue'> | undefined;
}

/** `POST /tokens` (docs/protocol.md §7): with a publish key, never with a token, or tokens could renew themselves. */
export async function tokenRoutes(
  app: FastifyInstance,
  { keys, publishers, issuer }: TokenRoutesOptions,
): Promise<void> {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );

  app.post<{ Body: Buffer | undefined }>(
    '/tokens',
    {
      config: { operation: MAKE_TOKEN },
      // Before the body is read.
      onRequest: async (request) => {
        const { authorization } = request.headers;
        const key = bearerToken(authorization);
        if (key === undefined || !keys.accepts(key))
          throw await refusalOf(authorization, clientAddress(request));
        if (issuer === undefined) {
          throw new BrokerError(
            'tokens-unavailable',
            'This broker has no secret to sign with: set SLUICE_JWT_SECRET, or have tokens made where their private key is.',
          );
        }
      },
    },
    async (request, reply) => {
      const asked = parseTokenBody(request.body ?? Buffer.alloc(0));
      const issued = await issuer?.issue(asked);
      if (issued === undefined || issued.token.length > MAX_TOKEN_LENGTH) {
        const detail = `makes a token of more than ${MAX_TOKEN_LENGTH} characters; grant fewer channels, or a prefix`;
        throw invalidBody([{ pointer: '', detail }]);
      }
      return reply
        .header('cache-control', 'no-store')
        .header('content-type', 'application/json')
        .send(Buffer.from(JSON.stringify(issued)));
    },
  );

  const refusalOf = async (authorization: string | undefined, address: string): Promise<BrokerError> => {
    const access = await publishers.of(authorization, address);
    if (access instanceof BrokerError) return access;
    return new BrokerError('forbidden', 'A token cannot make tokens: send a publish key.');
  };
}
