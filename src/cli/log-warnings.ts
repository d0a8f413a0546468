import type { Logger } from 'pino';
import { RareNotice } from '../observe/rare-notice.ts';

/** Logs warnings of one name at most once in this time. */
const INTERVAL_MS = 10_000;

/** Writes warnings of Node and of packages to the log. Node would write them to stderr, and block on a slow reader. */
export function logWarnings(logger: Logger): void {
  const notice = new RareNotice<string, Error>(
    (name, times, { message }) => logger.warn({ warning: name, times }, message),
    INTERVAL_MS,
  );
  process.removeAllListeners('warning');
  process.on('warning', (warning) => notice.note(warning.name, warning));
}
