import type { FastifyReply } from 'fastify';

/** Adds request headers that decide on an answer to those that the answer already names in `Vary`. */
export function addVary(reply: FastifyReply, ...names: readonly string[]): void {
  const named = [reply.getHeader('vary') ?? []].flat().map(String);
  reply.header('vary', [...named, ...names].join(', '));
}
