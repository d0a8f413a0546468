import type { FastifyInstance } from 'fastify';
import { MAX_TOKEN_LENGTH } from '../auth/token-header.ts';
import type { TokenIssuer } from '../auth/token-issuer.ts';
import { BrokerError } from '../core/errors.ts';
import { invalidBody } from '../publish/body-faults.ts';
import { MAKE_TOKEN } from './api/token-operations.ts';
import { requirePublishKey } from './publish-key-check.ts';
import type { PublishKeyCheckOptions } from './publish-key-check.ts';
import { takeJsonBytes } from './take-json-bytes.ts';
import { parseTokenBody } from './token-body.ts';

export interface TokenRoutesOptions extends PublishKeyCheckOptions {
  /** Undefined where this broker has no secret to sign with. */
  readonly issuer: Pick<TokenIssuer, 'issue'> | undefined;
}

/** `POST /tokens` (docs/protocol.md §7): with a publish key, never with a token, or tokens could renew themselves. */
export async function tokenRoutes(app: FastifyInstance, options: TokenRoutesOptions): Promise<void> {
  const { issuer } = options;
  requirePublishKey(app, options);
  takeJsonBytes(app);

  app.post<{ Body: Buffer | undefined }>(
    '/tokens',
    {
      config: { operation: MAKE_TOKEN },
      // Before the body is read.
      onRequest: async () => {
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
}
