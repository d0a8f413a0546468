/** Microseconds on the machine's monotonic clock. All processes of the machine share this clock, and it never goes back. */
export function monotonicMicros(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1e6 + nanos / 1e3;
}
