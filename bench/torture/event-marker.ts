/** The number of digits of an event's number in its marker. */
const NUMBER_DIGITS = 8;

/** What identifies an event: readers and publishers compare these, and never the ids that a server gives. */
export interface EventMarker {
  readonly publisher: number;
  /** Counted from 1 by each publisher. */
  readonly number: number;
}

/**
 * Makes the data of an event: the run, the publisher, the number, the time of the first attempt in ms since 1970, and
 * padding up to `size` bytes. It has only characters that forms, JSON and URLs keep as they are.
 */
export function eventData(run: string, { publisher, number }: EventMarker, size: number): string {
  const digits = String(number).padStart(NUMBER_DIGITS, '0');
  return `torture.${run}.${publisher}.${digits}.${Date.now()}.`.padEnd(size, 'x');
}

/** Finds the events of a run in a text, in order: a server may wrap the data, and may put several events into one. */
export function* markersIn(text: string, run: string): Generator<EventMarker> {
  for (const [, found, publisher, number] of text.matchAll(
    /torture\.([a-z0-9]{1,20})\.(\d{1,4})\.(\d{8})\./g,
  )) {
    if (found === run) yield { publisher: Number(publisher), number: Number(number) };
  }
}
