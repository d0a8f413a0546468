import { LatencyHistogram } from '../measure/latency-histogram.ts';
import { monotonicMicros } from '../measure/monotonic-micros.ts';
import type { Marker } from './marker.ts';

/** Bounds the memory of the loader when a server loses many events. */
const MAX_HOLES = 1_000;
/** Larger than any event number. */
const NUMBERS = 1e8;

/** The events that one connection has received of one channel. */
export class ReceivedOrder {
  /** The next expected number, for each publisher. */
  readonly next: Int32Array;
  /** Skipped numbers that may still come, up to MAX_HOLES. */
  holes: Set<number> | undefined;
  /** Different events. */
  distinct = 0;
  /** A hash of the events and their order, without repetitions. Connections that got the same have the same hash. */
  fingerprint = 0;

  constructor(publishers: number, first = 0) {
    this.next = new Int32Array(publishers).fill(first);
  }
}

/** Checks that each event arrives once and in order, and measures its latency. */
export class DeliveryCheck {
  delivered = 0;
  duplicates = 0;
  /** Events that came after a later one of the same publisher. */
  late = 0;
  lastAt = 0;
  readonly latency = new LatencyHistogram();
  readonly #origin: number;
  #now = 0;

  /** @param origin the zero of the due times, on the monotonic clock */
  constructor(origin: number) {
    this.#origin = origin;
  }

  /** Call it once for each read of a socket. All events of the read get this time. */
  tick(): void {
    this.#now = monotonicMicros();
  }

  /** Returns false for a repeated event. */
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
