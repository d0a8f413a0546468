import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Access } from '../auth/access.ts';
import { bearerToken } from '../auth/bearer.ts';
import type { PublisherAccess } from '../auth/publisher-access.ts';
import { revokedToken } from '../auth/token-errors.ts';
import { parseChannelName } from '../events/channel-name.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';
import { clientAddress } from '../http/client-address.ts';
import type { BrokerStatus } from '../inspect/broker-status.ts';
import type { BusiestChannels } from '../inspect/busiest-channels.ts';
import type { ChannelInspector } from '../inspect/channel-inspector.ts';
import type { Revocations } from '../replicas/revocations.ts';
import { DESCRIBE_CHANNEL, LIST_CHANNELS, LIST_SUBSCRIBERS, READ_STATUS } from './inspection-operations.ts';
import { readChannelsQuery, readSubscribersQuery, refuseQuery } from './inspection-query.ts';
import type { Query } from './start-position.ts';

export interface InspectionOptions {
  readonly publishers: Pick<PublisherAccess, 'of'>;
  readonly revocations: Pick<Revocations, 'refuses' | 'refusesEverywhere'>;
  readonly channels: Pick<ChannelInspector, 'list' | 'describe' | 'subscribers'>;
  readonly busiest: Pick<BusiestChannels, 'list'>;
  readonly status: Pick<BrokerStatus, 'read'>;
}

interface InspectionRoute {
  Params: { channel: string };
  Querystring: Query;
}

/** The routes that look into the broker (docs/protocol.md §10). They change nothing. */
export async function inspectionRoutes(app: FastifyInstance, options: InspectionOptions): Promise<void> {
  const { channels, busiest, status } = options;
  app.addHook('onRequest', async (request: FastifyRequest<InspectionRoute>, reply) => {
    reply.header('cache-control', 'no-store');
    const { channel } = request.params;
    await requireAdmin(request, channel === undefined ? undefined : parseChannelName(channel), options);
  });

  app.get<InspectionRoute>('/channels', { config: { operation: LIST_CHANNELS } }, ({ query }) => {
    const read = readChannelsQuery(query);
    return 'busiest' in read ? busiest.list(read.busiest) : channels.list(read);
  });

  app.get<InspectionRoute>(
    '/channels/:channel',
    { config: { operation: DESCRIBE_CHANNEL } },
    ({ params, query }) => {
      refuseQuery(query);
      return channels.describe(parseChannelName(params.channel));
    },
  );

  app.get<InspectionRoute>(
    '/channels/:channel/subscribers',
    { config: { operation: LIST_SUBSCRIBERS } },
    ({ params, query }) => {
      const { subject, limit } = readSubscribersQuery(query);
      return channels.subscribers(parseChannelName(params.channel), subject, limit);
    },
  );

  app.get<InspectionRoute>('/status', { config: { operation: READ_STATUS } }, ({ query }) => {
    refuseQuery(query);
    return status.read();
  });
}

/**
 * Takes the credential from the Authorization header alone: browsers send cookies by themselves.
 * @param channel undefined for a route about all channels
 * @throws BrokerError `unauthorized`, `forbidden`, `too-many-requests`, `keys-unavailable`
 */
async function requireAdmin(
  request: FastifyRequest,
  channel: ChannelName | undefined,
  { publishers, revocations }: InspectionOptions,
): Promise<void> {
  const credential = bearerToken(request.headers.authorization);
  const access: Access | BrokerError = await publishers.of(credential, clientAddress(request));
  if (access instanceof BrokerError) throw access;
  if (!access.admin)
    throw new BrokerError(
      'forbidden',
      'The token does not allow looking in. Send a publish key, or a token whose claim sluice has "admin": true.',
    );
  if (access.kind !== 'token') return;
  const isRevoked =
    channel === undefined ? revocations.refusesEverywhere(access) : revocations.refuses(access, channel);
  if (isRevoked) throw revokedToken();
}
