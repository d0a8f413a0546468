import type { Http2ServerResponse } from 'node:http2';
import type { FastifyReply } from 'fastify';

/** Whether the client has left. The response may not emit 'close' any more. */
export function hasLeft({ raw, request }: FastifyReply): boolean {
  // A response of HTTP/2 does not know that it is destroyed.
  if (request.raw.httpVersionMajor === 2) return (raw as unknown as Http2ServerResponse).stream.destroyed;
  return raw.destroyed || raw.socket?.destroyed === true;
}
