import type { Revocations } from '../replicas/revocations.ts';
import type { Config } from '../config/config.ts';
import type { ChannelPolicies } from '../events/channel-policies.ts';
import type { FairLoop } from '../delivery/fair-loop.ts';
import type { SubscribedChannels } from '../replicas/subscribed-channels.ts';
import type { EventLog } from '../log/event-log.ts';
import type { RateCounter } from '../auth/rate.ts';
import type { RequestTracer } from '../publish/request-tracer.ts';
import type { ChannelActivity } from '../inspect/channel-activity.ts';
import type { Metrics } from '../observe/metrics.ts';
import { PublishLimiter } from '../publish/publish-limiter.ts';
import { Publisher } from '../publish/publisher.ts';
import type { Credentials } from './credentials.ts';
import type { RefusalNotices } from './refusal-notices.ts';

export interface PublisherParts {
  readonly log: EventLog;
  readonly policies: ChannelPolicies;
  readonly loop: FairLoop;
  readonly subscribed: SubscribedChannels;
  /** Counts publishes for all replicas together. Undefined with the embedded log, which serves one replica. */
  readonly counter: RateCounter | undefined;
  readonly credentials: Pick<Credentials, 'publishers'>;
  readonly revocations: Revocations;
  readonly refusals: RefusalNotices;
  readonly metrics: Pick<Metrics, 'instruments' | 'uncounted'>;
  readonly activity: Pick<ChannelActivity, 'published'>;
  /** Undefined when tracing is off. */
  readonly tracer: RequestTracer | undefined;
}

/** Makes the publisher. The HTTP routes and the publish lane pass every publish to it. */
export function openPublisher(config: Config, parts: PublisherParts): Publisher {
  const { log, policies, loop, subscribed, counter, credentials, revocations, refusals, metrics, tracer } =
    parts;
  const { instruments } = metrics;
  return new Publisher({
    log,
    policies,
    credentials: credentials.publishers,
    revocations,
    subscribed,
    loop,
    limiter: new PublishLimiter({
      perKey: config.publishRatePerKey,
      perAddress: config.publishRatePerIp,
      counter,
      onUncounted: metrics.uncounted,
      onRequestRefused: refusals.onRequestRefused,
    }),
    maxBodyBytes: config.maxBodyBytes,
    instruments: {
      published: (result, seconds, events, channel) => {
        instruments.published(result, seconds, events, channel);
        if (result === 'ok') parts.activity.published(channel, events);
      },
    },
    tracer,
  });
}
