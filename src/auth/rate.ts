/** At most `limit` hits per `window`; a window starts with its first hit. */
export interface Rate {
  readonly limit: number;
  /** ms */
  readonly window: number;
}

/** Counts hits over all replicas. */
export interface RateCounter {
  /**
   * Adds hits to `name`, one by default. Gives the hits in the current window, and in how many ms that window ends.
   * @throws BrokerError `log-unavailable` when the count cannot be reached; this may take most of a second
   */
  count(name: string, window: number, hits?: number): Promise<RateCount>;
}

export interface RateCount {
  readonly count: number;
  /** ms until the window ends */
  readonly left: number;
}
