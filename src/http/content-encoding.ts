import type { IncomingHttpHeaders } from 'node:http';
import { BrokerError } from '../core/errors.ts';

/** Why a body that is compressed is refused; undefined for one that is not. */
export function compressedBody(headers: IncomingHttpHeaders): BrokerError | undefined {
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return undefined;
  return new BrokerError(
    'unsupported-media-type',
    'Compressed bodies are not taken: send it without Content-Encoding.',
  );
}
