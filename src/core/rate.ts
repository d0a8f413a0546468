/** So many in so many ms, counted in windows that begin with their first. */
export interface Rate {
  readonly limit: number;
  /** ms */
  readonly window: number;
}

/** Counts for all replicas together what each of them sees of somebody. */
export interface RateCounter {
  /**
   * One more for `name`; gives how many there are in its window by now, and in how many ms that window ends.
   * @throws BrokerError `log-unavailable` where the count is kept and cannot be reached; it may take most of a second
   */
  hit(name: string, window: number): Promise<{ readonly count: number; readonly left: number }>;
}
