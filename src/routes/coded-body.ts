import type { FastifyReply, FastifyRequest } from 'fastify';
import { acceptsGzip } from '../http/accept-encoding.ts';
import { addVary } from '../http/vary.ts';
import type { Compression } from '../stream/compression.ts';
import type { GzipBody } from '../stream/gzip-body.ts';

/**
 * Begins the body of a stream in the coding that its client wants, and sets the headers that say so. Undefined for a plain one.
 * @param compression undefined when no stream is to be compressed
 */
export function codedBody(
  compression: Compression | undefined,
  { headers }: Pick<FastifyRequest, 'headers'>,
  reply: FastifyReply,
): GzipBody | undefined {
  if (compression === undefined) return undefined;
  addVary(reply, 'Accept-Encoding');
  if (!acceptsGzip(headers['accept-encoding'])) return undefined;
  reply.header('content-encoding', 'gzip');
  return compression.body();
}
