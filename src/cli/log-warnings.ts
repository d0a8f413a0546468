import type { Logger } from 'pino';
import { RareNotice } from '../core/rare-notice.ts';

/** How often a warning of one name is said, in ms. */
const INTERVAL = 10_000;

/**
 * Puts Node's warnings, and those of packages, into the log. Node itself would write each to stderr, and wait for whoever should
 * be reading it.
 */
export function logWarnings(logger: Logger): void {
  const notice = new RareNotice<string, Error>(
    (name, times, { message }) => logger.warn({ warning: name, times }, message),
    INTERVAL,
  );
  process.removeAllListeners('warning');
  process.on('warning', (warning) => notice.note(warning.name, warning));
}
