import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import type { Revocations } from '../replicas/revocations.ts';
import type { Config } from '../config/config.ts';
import type { ControlBus } from '../replicas/control-bus.ts';
import type { FairLoop } from '../delivery/fair-loop.ts';
import type { HistoryReader } from '../delivery/history-reader.ts';
import type { Hub } from '../delivery/hub.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { apiDocument } from '../routes/api-document.ts';
import { channelEventsRoute } from '../routes/channel-events.ts';
import { channelStateRoute } from '../routes/channel-state.ts';
import { channelRoutes } from '../routes/channels.ts';
import { consolePage } from '../routes/console-page.ts';
import { DescribedRoutes } from '../http/api/described-routes.ts';
import { disconnectRoute } from '../routes/disconnect.ts';
import { healthRoutes } from '../routes/health.ts';
import type { Readiness } from '../routes/health.ts';
import { inspectionRoutes } from '../routes/inspection.ts';
import { metricsRoute } from '../routes/metrics-endpoint.ts';
import { PageRoom } from '../routes/page-room.ts';
import { publishRoutes } from '../routes/publish.ts';
import type { StreamOpener } from '../routes/stream-opener.ts';
import { subscribeRoutes } from '../routes/subscribe.ts';
import { tokenRoutes } from '../routes/tokens.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Publisher } from '../publish/publisher.ts';
import type { Connections } from '../stream/connections.ts';
import type { Credentials } from './credentials.ts';
import type { Inspection } from './inspection.ts';
import type { RefusalNotices } from './refusal-notices.ts';

/** The parts that the routes use. */
export interface RouteParts {
  readonly publisher: Publisher;
  readonly hub: Hub;
  readonly history: HistoryReader;
  readonly connections: Connections;
  readonly opener: StreamOpener;
  readonly loop: FairLoop;
  readonly control: ControlBus;
  /** Deletes a channel's events and its end. Returns false when there is nothing to delete. */
  readonly clear: (channel: ChannelName) => Promise<boolean>;
  readonly credentials: Credentials;
  readonly revocations: Revocations;
  readonly refusals: RefusalNotices;
  readonly inspection: Inspection;
  readonly metrics: Metrics;
  readonly readiness: () => Promise<Readiness>;
  readonly version: string;
}

const CONSOLE = fileURLToPath(new URL('../console', import.meta.url));

/** Registers the routes of the broker's port, in the order of the API document. */
export async function brokerRoutes(app: FastifyInstance, config: Config, parts: RouteParts): Promise<void> {
  const { publisher, loop, control, revocations, version } = parts;
  const { keys, publishers, issuer } = parts.credentials;
  const described = new DescribedRoutes();
  described.watch(app);
  await app.register(publishRoutes, { publisher, loop });
  await app.register(channelRoutes, { publisher, publishers, clear: parts.clear });
  await app.register(subscriberRoutes, { config, parts });
  await app.register(inspectionRoutes, { publishers, revocations, ...parts.inspection });
  await app.register(tokenRoutes, { keys, publishers, issuer });
  await app.register(disconnectRoute, { control, keys, publishers });
  if (config.adminPort === undefined) await adminRoutes(app, parts);
  if (config.console) await app.register(consolePage, { folder: CONSOLE });
  await app.register(apiDocument, { described, version, tokenCookie: config.tokenCookie });
}

/** Registers the routes of subscribers. SLUICE_HEADERS adds headers to all of their answers. */
async function subscriberRoutes(
  app: FastifyInstance,
  { config, parts }: { readonly config: Config; readonly parts: RouteParts },
): Promise<void> {
  const { hub, history, connections, loop, revocations, metrics, refusals } = parts;
  const { subscribers } = parts.credentials;
  const { stallTimeout } = config;
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(config.headers);
    done();
  });
  const subscribing = { hub, connections, subscribers, revocations, onOpened: metrics.opened };
  await app.register(subscribeRoutes, {
    hub,
    opener: parts.opener,
    connections,
    subscribers,
    maxChannels: config.maxChannelsPerConnection,
    onStreamRefused: refusals.onStreamRefused,
  });
  const room = new PageRoom(stallTimeout);
  await app.register(channelEventsRoute, {
    ...subscribing,
    history,
    room,
    stallTimeout,
    onRefused: refusals.onStreamRefused,
  });
  await app.register(channelStateRoute, { hub, loop, subscribers, room });
}

/** Registers health and metrics: on the admin port if there is one, otherwise on the broker's port. */
export async function adminRoutes(
  app: FastifyInstance,
  { readiness, metrics }: Pick<RouteParts, 'readiness' | 'metrics'>,
): Promise<void> {
  await app.register(healthRoutes, { readiness });
  await app.register(metricsRoute, { exposition: metrics });
}
