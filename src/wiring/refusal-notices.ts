import type { Logger } from 'pino';
import type { RefuseReason } from '../core/close-reason.ts';
import { RareNotice } from '../core/rare-notice.ts';
import type { OnRefusedRequest, RefusedRequest } from '../core/refused-request.ts';
import type { Metrics } from '../metrics.ts';

/** How often a line says that a limit was met, for each limit, in ms; the metrics count every time. */
const NOTICE_INTERVAL = 10_000;

/** Counts each request and each stream that a limit refuses, and logs a line for each limit now and then. */
export class RefusalNotices {
  readonly #metrics: Pick<Metrics, 'refused' | 'refusedRequest'>;
  readonly #notice: RareNotice<RefuseReason | RefusedRequest, string | undefined>;

  constructor(metrics: Pick<Metrics, 'refused' | 'refusedRequest'>, logger: Logger) {
    this.#metrics = metrics;
    this.#notice = new RareNotice(
      (limit, times, address) => logger.info({ limit, times, address }, 'refused: a limit is met'),
      NOTICE_INTERVAL,
    );
  }

  readonly onRequest: OnRefusedRequest = (reason, address) => {
    this.#metrics.refusedRequest(reason);
    this.#notice.note(reason, address);
  };

  readonly onStream = (reason: RefuseReason, address: string): void => {
    this.#metrics.refused(reason);
    // A drain refuses every stream, and has lines of its own.
    if (reason !== 'draining') this.#notice.note(reason, address);
  };
}
