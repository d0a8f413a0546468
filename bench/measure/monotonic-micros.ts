/** Microseconds on the machine's monotonic clock: the same in every process here, and never set back. */
export function monotonicMicros(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1e6 + nanos / 1e3;
}
