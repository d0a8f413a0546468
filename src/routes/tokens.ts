import type { FastifyInstance } from 'fastify';
import { MAX_TOKEN_LENGTH } from '../auth/token-header.ts';
import type { TokenIssuer } from '../auth/token-issuer.ts';
import { BrokerError } from '../events/errors.ts';
import { invalidBody } from '../publish/body-faults.ts';
import { MAKE_TOKEN } from './token-operations.ts';
import { requirePublishKey } from './publish-key-check.ts';
import type { PublishKeyCheckOptions } from './publish-key-check.ts';
import { takeJsonBytes } from '../http/request-bodies.ts';
import { parseTokenBody } from './token-body.ts';

export interface TokenRoutesOptions extends PublishKeyCheckOptions {
  /** Undefined when SLUICE_JWT_SECRET is not set. */
  readonly issuer: Pick<TokenIssuer, 'issue'> | undefined;
}

/** `POST /tokens` (docs/protocol.md §7). Needs a publish key. With a token, a token could renew itself forever. */
export async function tokenRoutes(app: FastifyInstance, options: TokenRoutesOptions): Promise<void> {
  const { issuer } = options;
  requirePublishKey(app, options);
  takeJsonBytes(app);

  app.post<{ Body: Buffer | undefined }>(
    '/tokens',
    {
      config: { operation: MAKE_TOKEN },
      // Refuses before the body is read.
      onRequest: async () => {
        if (issuer === undefined) {
          throw new BrokerError(
            'tokens-unavailable',
            'This broker has no secret to sign tokens with. Set SLUICE_JWT_SECRET, or make tokens where their private key is.',
          );
        }
      },
    },
    async (request, reply) => {
      const tokenRequest = parseTokenBody(request.body ?? Buffer.alloc(0));
      const issued = await issuer?.issue(tokenRequest);
      if (issued === undefined || issued.token.length > MAX_TOKEN_LENGTH) {
        const detail = `makes a token of more than ${MAX_TOKEN_LENGTH} characters. Grant fewer channels, or use prefixes`;
        throw invalidBody([{ pointer: '', detail }]);
      }
      return reply
        .header('cache-control', 'no-store')
        .header('content-type', 'application/json')
        .send(Buffer.from(JSON.stringify(issued)));
    },
  );
}
