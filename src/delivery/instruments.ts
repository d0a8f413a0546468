/** What delivery counts and measures. `metrics.ts` turns it into Prometheus series; a test may just count. */
export interface Instruments {
  /** Events written to sockets as they arrived, summed over subscribers. */
  delivered(count: number): void;
  /** Events written to sockets out of the log or of recent memory, summed over subscribers. */
  replayed(count: number): void;
  /** A subscriber was told that events may be missing. */
  gap(): void;
  /** A hole in what was announced was closed by reading the log. */
  healed(): void;
  /** From the log's timestamp of an event to the moment its last live subscriber was written to. */
  fannedOut(seconds: number): void;
}
