import { setImmediate } from 'node:timers/promises';
import type { Logger } from 'pino';
import { createApp } from '../broker/app.ts';
import { loadConfig, logKind, takesTokens } from '../config/config.ts';
import { brokerLogger } from '../observe/broker-logger.ts';
import { generateKey, writeKeyFile } from './generated-key.ts';
import { LogOutput } from '../observe/log-output.ts';
import { RareNotice } from '../observe/rare-notice.ts';
import { handleSignals } from './signals.ts';

/** A number instead of process.stdout.fd: reading that would make Node open a stream, which can fail by itself. */
const STDOUT = 1;
/** Logs warnings of one name at most once in this time. */
const WARNING_INTERVAL_MS = 10_000;

/** Runs the broker until SIGTERM, SIGINT or SIGQUIT, then drains it. A second signal ends the process at once. */
export async function serve(env: NodeJS.ProcessEnv): Promise<void> {
  let hungUp = false;
  const hangUp = (): void => {
    hungUp = true;
  };
  process.once('SIGHUP', hangUp);
  const given = loadConfig(env);
  const output = new LogOutput(STDOUT);
  const logger = brokerLogger(given.logLevel, output);
  logWarnings(logger);
  for (const warning of given.warnings) logger.warn(warning);
  const key = given.publishKeys.length === 0 && !takesTokens(given) ? generateKey() : undefined;
  const config = key === undefined ? given : Object.freeze({ ...given, publishKeys: [key] });

  const app = await createApp(config, logger, output);
  const { url, adminUrl } = await app.listen();
  if (key !== undefined)
    logger.warn(
      { publishKey: key, file: writeKeyFile(key) },
      'SLUICE_PUBLISH_KEYS is not set: this key is valid for this run only',
    );
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) {
      logger.warn({ signal }, 'stopping at once');
      exitAtOnce(app.diskFails);
    }
    stopping = true;
    logger.info({ signal, drainWindow: config.drainWindow }, 'draining');
    app.drain().then(
      () => {
        logger.info('stopped');
        process.exit(0);
      },
      (error: unknown) => {
        logger.fatal({ err: error }, 'the drain failed');
        exitAtOnce(app.diskFails);
      },
    );
  };
  const renew = (): void => {
    try {
      app.renewCertificate(loadConfig(env));
      logger.info('reloaded the TLS certificate and its key');
    } catch (error) {
      logger.error(
        { reason: (error as Error).message },
        'cannot reload the TLS certificate: keeping the old one',
      );
    }
  };
  const renewal = config.tlsCert === undefined ? undefined : renew;
  // Signals that came while the start held the event loop are taken now, and do nothing.
  await setImmediate();
  process.off('SIGHUP', hangUp);
  handleSignals({ logger, stop, renew: renewal });
  // The certificate may have been replaced after the start had read it.
  if (hungUp) renewal?.();

  // Logged last: whoever reads this line may stop the broker at once, so the signal handlers must be set.
  const log = logKind(config);
  const { replica, version } = app;
  logger.info({ version, url, adminUrl, replica, log, node: process.version }, 'sluice is listening');
}

/**
 * @param diskFails whether a thread of Node may hang in a call to the disk. Node waits for its threads when it exits, so the process
 *   then kills itself as its last act
 */
function exitAtOnce(diskFails: boolean): never {
  if (diskFails) process.once('exit', () => process.kill(process.pid, 'SIGKILL'));
  process.exit(1);
}

/** Writes warnings of Node and of packages to the log. Node would write them to stderr, and block on a slow reader. */
function logWarnings(logger: Logger): void {
  const notice = new RareNotice<string, Error>(
    (name, times, { message }) => logger.warn({ warning: name, times }, message),
    WARNING_INTERVAL_MS,
  );
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    // The broker uses such functions of Node on purpose, and an operator cannot do anything about it.
    if (warning.name !== 'ExperimentalWarning') notice.note(warning.name, warning);
  });
}
