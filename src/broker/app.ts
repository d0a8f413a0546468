import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { Revocations } from '../replicas/revocations.ts';
import { logKind } from '../config/config.ts';
import { packageVersion } from '../config/package-version.ts';
import type { ChannelName } from '../events/channel-name.ts';
import type { Config } from '../config/config.ts';
import { ChannelPolicies } from '../events/channel-policies.ts';
import { FairLoop } from '../delivery/fair-loop.ts';
import { ChannelActivity } from '../inspect/channel-activity.ts';
import { Disconnector } from '../replicas/disconnector.ts';
import { StreamOpener } from '../routes/stream-opener.ts';
import { SubscribedChannels } from '../replicas/subscribed-channels.ts';
import { Metrics } from '../observe/metrics.ts';
import { openBackbone } from './backbone.ts';
import type { LogCounts } from './backbone.ts';
import { openCredentials } from './credentials.ts';
import { openDelivery } from './delivery.ts';
import { openInspection } from './inspection.ts';
import { openPublisher } from './publisher.ts';
import { LogWatch } from './log-watch.ts';
import { readinessOf } from './readiness.ts';
import { RefusalNotices } from './refusal-notices.ts';
import { openServers } from './servers.ts';
import { startTracing } from './start-tracing.ts';
import { StreamNotices } from './stream-notices.ts';

export interface App {
  /** The name of this replica. Each replica has another name. */
  readonly replica: string;
  readonly version: string;
  /** Starts to listen. Returns the URL of the broker, and the URL of the admin port if there is one. */
  listen(): Promise<{ readonly url: string; readonly adminUrl: string | undefined }>;
  /** Reports not ready, ends every stream over the drain window, and lets requests finish. */
  drain(): Promise<void>;
  /** Sets the certificate for new connections, if TLS is on. Open connections keep the old one. */
  renewCertificate(config: Config): void;
  /** Closes everything at once. Cuts open streams. */
  close(): Promise<void>;
  /** Whether the log is on disk, and the disk fails or does not answer. */
  readonly diskFails: boolean;
}

/** How many lines the logger's output has dropped. */
interface LogOutputState {
  readonly dropped: number;
}

/**
 * The composition root: opens the log, then delivery, credentials and servers over it.
 */
export async function createApp(config: Config, logger: Logger, logOutput: LogOutputState): Promise<App> {
  const replica = `${hostname()}-${randomBytes(4).toString('hex')}`;
  const logWatch = new LogWatch(logger, logKind(config));
  const counts = logCounts(() => metrics);
  const backbone = await openBackbone(config, replica, logWatch, counts);
  const { log, control, counter } = backbone;
  const tracing = await startTracing(config, logger);

  const version = packageVersion();
  const metrics: Metrics = new Metrics({
    version,
    connections: () => connections.size,
    connectionsLimit: () => config.maxConnections,
    channels: () => hub.channelsFollowed,
    bufferedBytes: () => connections.bufferedBytes,
    compression: () => compression?.figures,
    revocations: () => revocations.size,
    logLinesDropped: () => logOutput.dropped,
    log: () => log.health(),
    logFigures: backbone.figures,
    ready: async () => (await readiness()).ready,
  });
  const policies = policiesOf(config);
  const loop = new FairLoop();
  const activity = new ChannelActivity();
  const notices = new StreamNotices(logger);
  const counted = { log, policies, loop, metrics, activity };
  const { hub, history, connections, compression } = openDelivery(config, { ...counted, notices, logWatch });
  const readiness = () => readinessOf(log, logWatch, connections);

  const revocations = new Revocations({ ttl: config.revocationTtl });
  for (const revocation of backbone.revocations) revocations.add(revocation);
  const disconnector = new Disconnector({ connections, revocations, control });
  const refusals = new RefusalNotices(metrics, logger);
  const credentials = openCredentials(config, {
    logger,
    policies,
    revocations,
    onFailed: metrics.failedAuthentication,
    onTooMany: (address) => refusals.onRequestRefused('failed-authentication', address),
  });

  const publisher = openPublisher(config, {
    ...counted,
    subscribed: new SubscribedChannels({ control, hub }),
    counter,
    credentials,
    revocations,
    refusals,
    tracer: tracing?.requests,
  });

  const clear = (channel: ChannelName) => log.clear(channel, policies.historyOf(channel));
  const opener = new StreamOpener({ hub, connections, compression, revocations, onOpened: metrics.opened });
  const delivery = { publisher, hub, history, connections, opener, loop, control, clear };
  const inspection = openInspection(config, { ...counted, logger, control, hub, connections, version });
  const access = { credentials, revocations, refusals, inspection };
  const servers = await openServers(config, logger, { ...delivery, ...access, metrics, readiness, version });

  const before = [credentials, disconnector, activity, hub, connections];
  const close = (): Promise<void> => closeAll(before, servers, [log, tracing]);

  return {
    replica,
    version,
    listen: () => servers.listen(),
    async drain() {
      const ended = Promise.all([connections.drain(config.drainWindow), publisher.drain(config.drainWindow)]);
      servers.sendAway();
      await ended;
      await servers.finish();
      await close();
    },
    renewCertificate: (renewed) => servers.renewCertificate(renewed),
    close,
    get diskFails() {
      return logWatch.diskFails;
    },
  };
}

/** Closes the parts that end streams, then the servers, and then what the other parts need. */
async function closeAll(
  before: readonly { close(): void }[],
  servers: { close(): Promise<void> },
  after: readonly ({ close(): Promise<void> } | undefined)[],
): Promise<void> {
  for (const part of before) part.close();
  await servers.close();
  await Promise.all(after.map(async (part) => part?.close()));
}

/** @param metrics is called when there is something to count, because the metrics need the log to be made */
function logCounts(metrics: () => Metrics): LogCounts {
  return {
    keysDropped: (keys) => metrics().keysDropped(keys),
    committed: (events) => metrics().log.committed(events),
    synced: (seconds) => metrics().log.synced(seconds),
  };
}

function policiesOf({ channels, historySize, historyTtl, publicChannels }: Config): ChannelPolicies {
  return new ChannelPolicies(channels, {
    history: { size: historySize, ttl: historyTtl },
    publicChannels,
  });
}
