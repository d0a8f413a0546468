import type { ChannelPolicies } from '../events/channel-policies.ts';
import type { Config } from '../config/config.ts';
import type { EventLog } from '../log/event-log.ts';
import type { FairLoop } from '../delivery/fair-loop.ts';
import { HistoryReader } from '../delivery/history-reader.ts';
import { Hub } from '../delivery/hub.ts';
import type { ChannelActivity } from '../inspect/channel-activity.ts';
import type { Metrics } from '../observe/metrics.ts';
import { Compression } from '../stream/compression.ts';
import { Connections } from '../stream/connections.ts';
import type { LogWatch } from './log-watch.ts';
import type { StreamNotices } from './stream-notices.ts';

export interface DeliveryOptions {
  readonly log: EventLog;
  readonly policies: ChannelPolicies;
  readonly loop: FairLoop;
  readonly metrics: Pick<Metrics, 'instruments' | 'closed'>;
  readonly activity: Pick<ChannelActivity, 'delivered'>;
  readonly notices: Pick<StreamNotices, 'onOpened' | 'onClosed'>;
  readonly logWatch: Pick<LogWatch, 'onTrouble'>;
}

/** The hub takes events from the log, and the connections write them to the sockets. */
export function openDelivery(
  config: Config,
  { log, policies, loop, metrics, activity, notices, logWatch }: DeliveryOptions,
): {
  readonly hub: Hub;
  readonly history: HistoryReader;
  readonly connections: Connections;
  /** Undefined when no stream is to be compressed. */
  readonly compression: Compression | undefined;
} {
  const hub = new Hub({
    log,
    loop,
    instruments: {
      ...metrics.instruments,
      delivered: (count, channel) => {
        metrics.instruments.delivered(count, channel);
        activity.delivered(channel, count);
      },
    },
    policies,
    onTrouble: logWatch.onTrouble,
  });
  const connections = new Connections({
    loop,
    heartbeat: config.heartbeat,
    stallTimeout: config.stallTimeout,
    retry: config.retry,
    maxAge: config.maxConnectionAge,
    maxConnections: config.maxConnections,
    maxPerAddress: config.maxConnectionsPerIp,
    maxPerSubject: config.maxConnectionsPerSubject,
    onOpened: notices.onOpened,
    onClosed: (reason, stream, holder) => {
      metrics.closed(reason);
      notices.onClosed(reason, stream, holder);
    },
  });
  const compression = config.compression ? new Compression() : undefined;
  return { hub, history: new HistoryReader({ log, loop, policies }), connections, compression };
}
