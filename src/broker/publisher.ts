import type { Revocations } from '../replicas/revocations.ts';
import type { Config } from '../config/config.ts';
import type { EventLog } from '../log/event-log.ts';
import type { RateCounter } from '../auth/rate.ts';
import type { RequestTracer } from '../publish/request-tracer.ts';
import type { Metrics } from '../observe/metrics.ts';
import { PublishLimiter } from '../publish/publish-limiter.ts';
import { Publisher } from '../publish/publisher.ts';
import type { Credentials } from './credentials.ts';
import type { RefusalNotices } from './refusal-notices.ts';

export interface PublisherParts {
  readonly log: EventLog;
  /** Counts publishes for all replicas; undefined where there is only one. */
  readonly counter: RateCounter | undefined;
  readonly credentials: Pick<Credentials, 'publishers'>;
  readonly revocations: Revocations;
  readonly refusals: RefusalNotices;
  readonly metrics: Pick<Metrics, 'instruments' | 'uncounted'>;
  /** Undefined where nothing is traced. */
  readonly tracer: RequestTracer | undefined;
}

/** The way in for events: the HTTP routes and the publish lane give each publish to it. */
export function openPublisher(config: Config, parts: PublisherParts): Publisher {
  const { log, counter, credentials, revocations, refusals, metrics, tracer } = parts;
  return new Publisher({
    log,
    policy: { size: config.historySize, ttl: config.historyTtl },
    credentials: credentials.publishers,
    revocations,
    limiter: new PublishLimiter({
      perKey: config.publishRatePerKey,
      perAddress: config.publishRatePerIp,
      counter,
      onUncounted: metrics.uncounted,
      onRequestRefused: refusals.onRequestRefused,
    }),
    maxBodyBytes: config.maxBodyBytes,
    instruments: metrics.instruments,
    tracer,
  });
}
