import { hash } from 'node:crypto';

/** Hex digits of a digest. 64 bits are enough to tell a publisher's own bodies apart. */
const DIGITS = 16;

/**
 * Returns what an idempotency key remembers of an append besides the ids: a digest for each event, or one for an end without
 * events. The end counts with the last event.
 */
export function digestsOf(records: readonly string[], end: boolean): string[] {
  if (records.length === 0) return end ? [digest('end')] : [];
  const last = records.length - 1;
  return records.map((record, index) =>
    digest(end && index === last ? `end\n${record}` : `event\n${record}`),
  );
}

function digest(text: string): string {
  return hash('sha256', text, 'hex').slice(0, DIGITS);
}
