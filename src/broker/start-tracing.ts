import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { RareNotice } from '../observe/rare-notice.ts';
import type { Tracing } from '../observe/tracing.ts';

/** Between two log lines about spans that could not be delivered, in ms. */
const NOTICE_INTERVAL_MS = 10_000;

/** Starts tracing. Returns undefined when tracing is off, and then loads no module of OpenTelemetry. */
export async function startTracing(
  { tracing: protocol, redisUrl }: Config,
  logger: Logger,
): Promise<Tracing | undefined> {
  if (protocol === undefined) return undefined;
  const notice = new RareNotice<'tracing', string>(
    (_kind, times, reason) => logger.warn({ reason, times }, 'tracing: spans could not be delivered'),
    NOTICE_INTERVAL_MS,
  );
  const tracing = await import('../observe/tracing.ts');
  return await tracing.startTracing({
    protocol,
    database: redisUrl === undefined ? undefined : 'redis',
    onFailed: (reason) => notice.note('tracing', reason),
  });
}
