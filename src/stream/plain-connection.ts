import type { EndReason } from '../events/close-reason.ts';
import type { EventRun } from '../events/event-run.ts';
import { EVENT_FRAMES, PUBLISHED_FRAMES } from './event-frames.ts';
import { SseConnection } from './sse-connection.ts';
import type { SseConnectionOptions } from './stream-context.ts';
import type { StreamContext } from './stream-context.ts';
import type { Wire } from './wire.ts';

/**
 * A stream with the publishers' events and comments alone, for clients that take every event for data (docs/protocol.md §3).
 * Where another stream writes an event of the broker before it ends, or says that events may be missing, this stream is cut:
 * its last chunk is missing, so the client sees a lost connection and not an end. The stream has its last chunk only at the end
 * of the channel.
 */
export class PlainConnection extends SseConnection {
  /** Whether the reader may have events from before the next one, so that it has to know when they are deleted. */
  #hasEvents: boolean;

  /** @param hasCursor whether the reader has seen events on an earlier connection */
  constructor(wire: Wire, context: StreamContext, options: SseConnectionOptions, hasCursor: boolean) {
    super(wire, context, options);
    this.#hasEvents = hasCursor;
  }

  override deliver(run: EventRun, live?: boolean): void {
    const { bytes, clearedAt } = run.as(PUBLISHED_FRAMES);
    if (clearedAt > 0 || (clearedAt === 0 && this.#hasEvents)) {
      this.breakOff('gap');
      return;
    }
    this.#hasEvents = true;
    if (bytes === undefined) return;
    const isWhole = bytes === run.as(EVENT_FRAMES);
    this.writeShared(bytes, isWhole && live === true ? run : undefined);
  }

  override gap(): void {
    this.breakOff('gap');
  }

  override ready(): void {
    this.#hasEvents = true;
  }

  override ended(): void {
    this.finish('');
  }

  override end(reason: EndReason): void {
    this.breakOff(reason);
  }
}
