import type { ChannelName } from '../events/channel-name.ts';
import type { EventRun, RunView } from '../events/event-run.ts';
import type { EventId } from '../events/event.ts';
import { eventJson } from './event-json.ts';

/** A page ends early before its events have more bytes than this as JSON. A page of one event may be larger. */
const MAX_PAGE_BYTES = 1024 * 1024;

/** The events of a run as JSON objects with a comma between two of them. Pages that are made together share them. */
interface EventsJson {
  readonly bytes: Buffer;
  /** The offset after each event. */
  readonly ends: readonly number[];
}

/**
 * Makes the JSON of a run, and keeps it weakly. Pages of the log stay in memory for some seconds, and the bound of that memory
 * counts their frames and not their JSON. So the JSON may be dropped once no answer is being made of it, and is then made again.
 */
class JsonOfRun {
  readonly #run: EventRun;
  #json: WeakRef<EventsJson> | undefined;

  constructor(run: EventRun) {
    this.#run = run;
  }

  get json(): EventsJson {
    const known = this.#json?.deref();
    if (known !== undefined) return known;
    const json = encode(this.#run);
    this.#json = new WeakRef(json);
    return json;
  }
}

const EVENTS_JSON: RunView<JsonOfRun> = { encode: (run) => new JsonOfRun(run) };

function encode({ events, partOf }: EventRun): EventsJson {
  if (partOf !== undefined) {
    const { whole, skipped } = partOf;
    const { bytes, ends } = whole.as(EVENTS_JSON).json;
    const start = (ends[skipped - 1] ?? -1) + 1;
    return { bytes: bytes.subarray(start), ends: ends.slice(skipped).map((end) => end - start) };
  }
  const texts = events.map(eventJson);
  const length = texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, -1);
  const bytes = Buffer.allocUnsafeSlow(Math.max(0, length));
  let at = 0;
  const ends = texts.map((text, index) => {
    if (index > 0) at += bytes.write(',', at, 'latin1');
    return (at += bytes.write(text, at));
  });
  return { bytes, ends };
}

/** Where a page ends. */
export interface PageEnd {
  /** The position from which the next page, or a stream, goes on. */
  readonly next: EventId;
  /** False when events may be missing before the first event of the page. */
  readonly complete: boolean;
  /** Whether the channel has ended at {@link next}. */
  readonly ended: boolean;
}

/** The events of a page, in memory that other pages may share. */
export class EventPage {
  readonly #limit: number;
  readonly #pieces: Buffer[] = [];
  #count = 0;
  #bytes = 0;

  /** @param limit the largest number of events */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Adds the first events of the run, as many as fit into the page. Returns their number. */
  add(run: EventRun): number {
    const { bytes, ends } = run.as(EVENTS_JSON).json;
    let count = Math.min(ends.length, this.#limit - this.#count);
    const least = this.#count === 0 ? 1 : 0;
    while (count > least && this.#bytes + (ends[count - 1] ?? 0) > MAX_PAGE_BYTES) count--;
    const end = ends[count - 1];
    if (end === undefined) return 0;
    this.#pieces.push(bytes.subarray(0, end));
    this.#count += count;
    this.#bytes += end;
    return count;
  }

  get count(): number {
    return this.#count;
  }

  /** Makes the body of the answer, in parts. */
  body(channel: ChannelName, { next, complete, ended }: PageEnd): readonly (string | Buffer)[] {
    const events = this.#pieces.flatMap((piece, index) => (index === 0 ? [piece] : [',', piece]));
    const rest = `],"next":"${next}","complete":${complete},"ended":${ended}}`;
    return [`{"channel":"${channel}","events":[`, ...events, rest];
  }
}
