import type { Logger } from 'pino';
import type { StreamRefusal } from '../events/close-reason.ts';
import { RareNotice } from '../observe/rare-notice.ts';
import type { OnRequestRefused, RequestRefusal } from '../events/request-refusal.ts';
import type { Metrics } from '../observe/metrics.ts';

/** Between two log lines about the same limit, in ms. The metrics count each refusal. */
const NOTICE_INTERVAL_MS = 10_000;

/** Counts each request and each stream that a limit refuses. Logs at most one line for each limit in 10 s. */
export class RefusalNotices {
  readonly #metrics: Pick<Metrics, 'streamRefused' | 'requestRefused'>;
  readonly #notice: RareNotice<StreamRefusal | RequestRefusal, string | undefined>;

  constructor(metrics: Pick<Metrics, 'streamRefused' | 'requestRefused'>, logger: Logger) {
    this.#metrics = metrics;
    this.#notice = new RareNotice(
      (limit, times, address) => logger.info({ limit, times, address }, 'refused: a limit was reached'),
      NOTICE_INTERVAL_MS,
    );
  }

  readonly onRequestRefused: OnRequestRefused = (reason, address) => {
    this.#metrics.requestRefused(reason);
    this.#notice.note(reason, address);
  };

  readonly onStreamRefused = (reason: StreamRefusal, address: string): void => {
    this.#metrics.streamRefused(reason);
    // A drain refuses every stream, and the broker logs the drain anyway.
    if (reason !== 'draining') this.#notice.note(reason, address);
  };
}
