import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { BrokerError } from '../events/errors.ts';

/** Returns the error for a compressed body, or undefined when the body is not compressed. */
export function compressedBody(headers: IncomingHttpHeaders): BrokerError | undefined {
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return undefined;
  return new BrokerError(
    'unsupported-media-type',
    'The broker does not accept compressed bodies. Send the body without Content-Encoding.',
  );
}

/** Makes the routes of `app` accept only these types. Handlers get the body as a Buffer that is not parsed. */
export function takeJsonBytes(app: FastifyInstance, types: readonly string[] = ['application/json']): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser([...types], { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
}
