import type { IncomingHttpHeaders } from 'node:http';
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
