import { isatty } from 'node:tty';
import type { Logger } from 'pino';

/** What SIGUSR2 switches to. */
const DEBUG = 'debug';

export interface SignalActions {
  readonly logger: Logger;
  /** Ends the process after a drain; at once when it is called again. */
  readonly stop: (signal: NodeJS.Signals) => void;
  /** Reads the certificate anew; undefined without TLS. */
  readonly renew: (() => void) | undefined;
}

/**
 * Every signal whose default would end the process, and that people and service managers send, has an action here: none ends it
 * without a drain.
 */
export function handleSignals({ logger, stop, renew }: SignalActions): void {
  let stopping = false;
  const end = (signal: NodeJS.Signals): void => {
    stopping = true;
    stop(signal);
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  process.on('SIGQUIT', end);
  const inTerminal = isatty(0);
  process.on('SIGHUP', (signal) => {
    // Whose terminal was closed does not want the broker to go on unseen. A terminal that is gone is none any more.
    // It comes twice then, from the system and from the shell, and the second one must not cut the drain short.
    if (inTerminal && !isatty(0)) {
      if (!stopping) end(signal);
    } else if (renew !== undefined) renew();
    else logger.info({ signal }, 'nothing to read anew: there is no TLS, and settings are read at the start');
  });
  process.on('SIGUSR2', debugSwitch(logger));
  // Node would open its debugger to everybody on this machine.
  process.on('SIGUSR1', (signal) => logger.info({ signal }, 'this signal means nothing here'));
}

/**
 * Gives what switches between `debug` and the level of LOG_LEVEL or, where that is `debug` or more, between it and `info`. It is
 * said while lines of `info` are written.
 */
function debugSwitch(logger: Logger): () => void {
  const given = logger.level;
  const [loud, quiet] = logger.isLevelEnabled(DEBUG) ? [given, 'info'] : [DEBUG, given];
  const tell = (logLevel: string): void => logger.info({ logLevel }, 'SIGUSR2 has switched the log level');
  return () => {
    if (logger.isLevelEnabled(DEBUG)) {
      tell(quiet);
      logger.level = quiet;
    } else {
      logger.level = loud;
      tell(loud);
    }
  };
}
