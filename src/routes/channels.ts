import type { FastifyInstance, FastifyRequest } from 'fastify';
import { bearerToken } from '../auth/bearer.ts';
import type { PublisherAccess } from '../auth/publisher-access.ts';
import { parseChannelName } from '../events/channel-name.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';
import type { TracedRequest } from '../publish/request-tracer.ts';
import type { Publisher } from '../publish/publisher.ts';
import { clientAddress } from '../http/client-address.ts';
import { DELETE_CHANNEL } from './channel-operations.ts';

export interface ChannelsOptions {
  readonly publisher: Pick<Publisher, 'begin' | 'refusalOf'>;
  readonly publishers: Pick<PublisherAccess, 'of'>;
  /**
   * Deletes the channel's events and its end. Returns false when there is nothing to delete.
   * @throws BrokerError `log-unavailable`
   */
  readonly clear: (channel: ChannelName) => Promise<boolean>;
}

/** `DELETE /channels/:channel` (docs/protocol.md §5). */
export async function channelRoutes(
  app: FastifyInstance,
  { publisher, publishers, clear }: ChannelsOptions,
): Promise<void> {
  // Some clients send an empty body of some type with DELETE. No body means anything here.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => done(null, undefined));

  app.delete<{ Params: { channel: string } }>('/channels/:channel', {
    config: { operation: DELETE_CHANNEL },
    // Checks the credential before the body is read.
    onRequest: async (request, reply) => {
      const channel = parseChannelName(request.params.channel);
      const credential = bearerToken(request.headers.authorization);
      const address = clientAddress(request);
      const access = await publishers.of(credential, address);
      if (access instanceof BrokerError) throw access;
      const attempt = publisher.begin(() => described(request));
      if (attempt.isTraced)
        reply.raw.once('close', () =>
          attempt.end(reply.raw.writableFinished ? reply.raw.statusCode : undefined),
        );
      const tooMany = await attempt.admitKnown(access, credential ?? '', address);
      reply.headers({ ...attempt.rateHeaders });
      const refusal = tooMany ?? publisher.refusalOf(access, channel);
      if (refusal !== undefined) throw refusal;
    },
    handler: async (request, reply) => {
      const channel = parseChannelName(request.params.channel);
      if (!(await clear(channel)))
        throw new BrokerError(
          'not-found',
          `The channel ${channel} has no event. There is nothing to delete.`,
        );
      return reply.code(204).send();
    },
  });
}

function described({ method, protocol, routeOptions, url, headers }: FastifyRequest): TracedRequest {
  const { traceparent, tracestate } = headers;
  return {
    method,
    scheme: protocol,
    route: routeOptions.url ?? '',
    path: url.split('?', 1)[0] ?? '',
    traceparent: typeof traceparent === 'string' ? traceparent : undefined,
    tracestate: typeof tracestate === 'string' ? tracestate : undefined,
  };
}
