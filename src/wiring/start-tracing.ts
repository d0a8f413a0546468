import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { RareNotice } from '../core/rare-notice.ts';
import type { Tracing } from '../tracing/tracing.ts';

/** How often it is said that spans could not be delivered, in ms. */
const NOTICE_INTERVAL = 10_000;

/** Undefined where nothing is traced: then none of OpenTelemetry is loaded. */
export async function startTracing(
  { tracing: protocol, redisUrl }: Config,
  logger: Logger,
): Promise<Tracing | undefined> {
  if (protocol === undefined) return undefined;
  const notice = new RareNotice<'tracing', string>(
    (_kind, times, reason) => logger.warn({ reason, times }, 'tracing: spans could not be delivered'),
    NOTICE_INTERVAL,
  );
  const tracing = await import('../tracing/tracing.ts');
  return await tracing.startTracing({
    protocol,
    database: redisUrl === undefined ? undefined : 'redis',
    onFailed: (reason) => notice.note('tracing', reason),
  });
}
