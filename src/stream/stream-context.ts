import type { EndReason } from '../events/close-reason.ts';
import type { FairLoop } from '../delivery/fair-loop.ts';

/** The time in ms at the last sweep over all streams. Reading it needs no system call. */
export interface Pulse {
  now: number;
}

/** The parts that all streams of a replica share. */
export interface StreamContext {
  readonly pulse: Pulse;
  readonly loop: FairLoop;
}

/** When the broker ends a stream, and why. */
export interface Expiry {
  /** In ms on the clock of the pulse; Infinity for never. */
  readonly at: number;
  readonly reason: EndReason;
}
