import type { WriteRequest } from './storage.ts';

/** A write with the number of its request. */
export interface NumberedWrite {
  readonly ticket: number;
  readonly request: WriteRequest;
}

/** The largest number of events in one commit. */
const COMMIT_EVENTS = 4_096;

/** The writes that wait for the next commit, in their order. */
export class WaitingWrites {
  readonly #commitBytes: number;
  #waiting: NumberedWrite[] = [];

  /** @param commitBytes the most bytes of records in one commit. A single append may have more */
  constructor(commitBytes: number) {
    this.#commitBytes = commitBytes;
  }

  get size(): number {
    return this.#waiting.length;
  }

  add(ticket: number, request: WriteRequest): void {
    this.#waiting.push({ ticket, request });
  }

  /** Takes the oldest writes, as many as one commit may have. */
  take(): readonly NumberedWrite[] {
    let events = 0;
    let bytes = 0;
    let count = 0;
    for (const { request } of this.#waiting) {
      events++;
      if (request.kind === 'append') {
        events += request.records.length - 1;
        for (const { length } of request.records) bytes += length;
      }
      if (count > 0 && (events > COMMIT_EVENTS || bytes > this.#commitBytes)) break;
      count++;
    }
    if (count === this.#waiting.length) return this.takeAll();
    const taken = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    return taken;
  }

  takeAll(): readonly NumberedWrite[] {
    const taken = this.#waiting;
    this.#waiting = [];
    return taken;
  }
}

/** How many events the writes have. One without events counts as one. */
export function countEvents(writes: readonly NumberedWrite[]): number {
  let events = 0;
  for (const { request } of writes)
    events += request.kind === 'append' ? Math.max(request.records.length, 1) : 1;
  return events;
}
