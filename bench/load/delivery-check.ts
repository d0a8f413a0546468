import { LatencyHistogram } from '../measure/latency-histogram.ts';
import { monotonicMicros } from '../measure/monotonic-micros.ts';
import type { Marker } from './marker.ts';

/** A server that loses much must not make the loader run out of memory. */
const MAX_HOLES = 1_000;
/** No publisher numbers its events that high. */
const NUMBERS = 1e8;

/** What one connection has received of one channel. */
export class ReceivedOrder {
  /** The number expected next, for each publisher. */
  readonly next: Int32Array;
  /** What was passed over and may still come, up to MAX_HOLES. */
  holes: Set<number> | undefined;
  /** Different events. */
  distinct = 0;
  /** Depends on each event and its place, repetitions left out: equal on two connections that got the same in the same order. */
  fingerprint = 0;

  constructor(publishers: number, first = 0) {
    this.next = new Int32Array(publishers).fill(first);
  }
}

/** Holds what arrives against what was sent: each event once and in order; and measures how late it is. */
export class DeliveryCheck {
  delivered = 0;
  duplicates = 0;
  /** Events that came after a later one of the same publisher. */
  late = 0;
  lastAt = 0;
  readonly latency = new LatencyHistogram();
  readonly #origin: number;
  #now = 0;

  /** `origin` is what due times count from, on the monotonic clock. */
  constructor(origin: number) {
    this.#origin = origin;
  }

  /** Once for each read of a socket: all that it brought has arrived by then. */
  tick(): void {
    this.#now = monotonicMicros();
  }

  /** False when the event has been there before. */
  event(received: ReceivedOrder, { due, publisher, number }: Marker): boolean {
    this.delivered++;
    this.lastAt = this.#now;
    this.latency.record(this.#now - this.#origin - due);
    const expected = received.next[publisher] ?? 0;
    if (number === expected) {
      received.next[publisher] = number + 1;
    } else if (number > expected) {
      const holes = (received.holes ??= new Set());
      for (let hole = expected; hole < number && holes.size < MAX_HOLES; hole++)
        holes.add(publisher * NUMBERS + hole);
      received.next[publisher] = number + 1;
    } else if (received.holes?.delete(publisher * NUMBERS + number) === true) {
      this.late++;
    } else {
      this.duplicates++;
      return false;
    }
    received.distinct++;
    received.fingerprint = (Math.imul(received.fingerprint, 31) + (publisher << 24) + number) | 0;
    return true;
  }
}
