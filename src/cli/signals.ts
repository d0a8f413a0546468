import { isatty } from 'node:tty';
import type { Logger } from 'pino';

const DEBUG = 'debug';

export interface SignalActions {
  readonly logger: Logger;
  /** Drains and ends the process. The second call ends it at once. */
  readonly stop: (signal: NodeJS.Signals) => void;
  /** Reloads the certificate. Undefined without TLS. */
  readonly renew: (() => void) | undefined;
}

/**
 * Handles every signal that people and service managers send and whose default action would end the process. So none of them
 * ends it without a drain.
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
    // When its terminal was closed (isatty turns false), the broker stops. The system and the shell both send SIGHUP then,
    // and the second signal must not cut the drain short.
    if (inTerminal && !isatty(0)) {
      if (!stopping) end(signal);
    } else if (renew !== undefined) renew();
    else
      logger.info({ signal }, 'nothing to reload: TLS is off, and other settings are read only at the start');
  });
  process.on('SIGUSR2', debugSwitch(logger));
  // By default Node would open its debugger, and every user of this machine could connect to it.
  process.on('SIGUSR1', (signal) => logger.info({ signal }, 'this signal is ignored'));
}

/**
 * Returns a function that switches between LOG_LEVEL and `debug`. If LOG_LEVEL is `debug` or `trace`, it switches between
 * LOG_LEVEL and `info`. Logs the switch while the level includes `info`.
 */
function debugSwitch(logger: Logger): () => void {
  const given = logger.level;
  const [verbose, quiet] = logger.isLevelEnabled(DEBUG) ? [given, 'info'] : [DEBUG, given];
  const logSwitch = (logLevel: string): void => logger.info({ logLevel }, 'SIGUSR2 switched the log level');
  return () => {
    if (logger.isLevelEnabled(DEBUG)) {
      logSwitch(quiet);
      logger.level = quiet;
    } else {
      logger.level = verbose;
      logSwitch(verbose);
    }
  };
}
