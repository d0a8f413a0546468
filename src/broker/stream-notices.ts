import type { Logger } from 'pino';
import type { CloseReason } from '../events/close-reason.ts';
import { RareNotice } from '../observe/rare-notice.ts';
import type { OpenConnection, StreamHolder } from '../stream/connections.ts';

/** Between two log lines about readers that were cut off, in ms. */
const STALLED_INTERVAL_MS = 1_000;
/** How many channels of a stream a log line names. */
const NAMED = 5;
/** How many characters a log line has of a cursor, which is a text of the client, or of the `sub` of a token. */
const TEXT_LENGTH = 255;

/**
 * Logs at `debug` when each stream opens and ends, and at `info` when readers are cut off because they take nothing. Makes no
 * line, and looks at nothing, while the level is above.
 */
export class StreamNotices {
  readonly #logger: Logger;
  readonly #stalled: RareNotice<'stalled', readonly [OpenConnection, StreamHolder]>;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#stalled = new RareNotice(
      (_kind, times, [stream, holder]) =>
        logger.info({ ...endOf(stream, holder), times }, 'a reader took nothing and was cut off'),
      STALLED_INTERVAL_MS,
    );
  }

  readonly onOpened = (stream: OpenConnection, holder: StreamHolder): void => {
    if (!this.#logger.isLevelEnabled('debug')) return;
    const cursor = shortened(stream.source.cursor);
    this.#logger.debug({ ...factsOf(stream, holder), cursor }, 'a stream opened');
  };

  readonly onClosed = (reason: CloseReason, stream: OpenConnection, holder: StreamHolder): void => {
    if (reason === 'stalled' && this.#logger.isLevelEnabled('info'))
      this.#stalled.note('stalled', [stream, holder]);
    if (!this.#logger.isLevelEnabled('debug')) return;
    const age = Math.round(performance.now() - stream.openedAt);
    this.#logger.debug({ reason, ...endOf(stream, holder), age }, 'a stream ended');
  };
}

function endOf(stream: OpenConnection, holder: StreamHolder): object {
  return { ...factsOf(stream, holder), position: shortened(stream.source.cursor) };
}

function factsOf({ channels }: OpenConnection, { address, subject: sub }: StreamHolder): object {
  const names = typeof channels === 'string' ? [channels] : channels.names;
  const more = names.length > NAMED ? names.length - NAMED : undefined;
  return { channels: names.slice(0, NAMED), moreChannels: more, sub: shortened(sub), address };
}

function shortened(text: string | undefined): string | undefined {
  return text?.slice(0, TEXT_LENGTH);
}
