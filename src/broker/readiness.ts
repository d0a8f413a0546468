import type { EventLog } from '../log/event-log.ts';
import type { Readiness } from '../routes/health.ts';
import type { Connections } from '../stream/connections.ts';
import type { LogWatch } from './log-watch.ts';

/** The answer of `GET /readyz`: ready while the log accepts events and no drain has begun. */
export async function readinessOf(
  log: Pick<EventLog, 'health'>,
  logWatch: Pick<LogWatch, 'isTolerable'>,
  { draining }: Pick<Connections, 'draining'>,
): Promise<Readiness> {
  const health = await log.health();
  const { up, detail } = health;
  const state = detail === '' ? 'up' : `${up ? 'partly down' : 'down'}: ${detail}`;
  return {
    ready: !draining && logWatch.isTolerable(health),
    checks: { log: state, draining: String(draining) },
  };
}
