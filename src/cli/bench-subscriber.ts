import { createHistogram, performance } from 'node:perf_hooks';
import type { IncomingMessage } from 'node:http';

/** In characters. Data of this length holds the three numbers, and more is padding. */
export const LEAST_EVENT_SIZE = 40;
/** A server that sends a longer line is no broker. */
const MAX_LINE_BYTES = 1_024 ** 2;
/** A larger jump does not come from this bench. */
const MAX_HOLES = 1_000_000;
const DATA = 'data: ';
const TYPE = 'event: ';

/** What the subscribers of a bench got, all together. */
export class BenchTally {
  /** From before the publish to the arrival, in µs. */
  readonly latency = createHistogram();
  /** Events that arrived for the first time. */
  deliveries = 0;
  twice = 0;
  outOfOrder = 0;
  gaps = 0;
  /** Streams that have ended before the bench did. */
  endedStreams = 0;
}

/** The data of an event: its publisher, its number among the events of this publisher, and the time. Bytes are characters. */
export function benchData(publisher: number, number: number, size: number): string {
  return `${publisher} ${number} ${microseconds()} `.padEnd(size, 'x');
}

/** One stream. It reads the fields that the bench needs, and adds what it gets to the tally. */
export class BenchSubscriber {
  /** Resolves when the stream is live. Rejects when it ends before. */
  readonly live: Promise<void>;
  readonly #tally: BenchTally;
  readonly #sequences: readonly Sequence[];
  readonly #becomesLive = Promise.withResolvers<void>();
  #rest = '';
  #type = '';
  #closingReason: string | undefined;
  #hasEnded = false;

  constructor(response: IncomingMessage, publishers: number, tally: BenchTally) {
    this.#tally = tally;
    this.#sequences = Array.from({ length: publishers }, () => new Sequence());
    this.live = this.#becomesLive.promise;
    response.setEncoding('latin1');
    response.on('data', (text: string) => {
      this.#read(text);
      if (this.#rest.length > MAX_LINE_BYTES) response.destroy();
    });
    response.on('error', () => undefined);
    response.once('close', () => this.#ended());
  }

  /** How many of the events that the publishers know to be published are missing here. 0 when the stream has ended. */
  missing(published: readonly number[]): number {
    if (this.#hasEnded) return 0;
    return this.#sequences.reduce((sum, sequence, at) => sum + sequence.missing(published[at] ?? 0), 0);
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') this.#type = '';
      else if (line.startsWith(TYPE)) this.#noteType(line.slice(TYPE.length));
      else if (line.startsWith(DATA)) this.#noteData(line.slice(DATA.length));
    }
  }

  #noteType(type: string): void {
    this.#type = type;
    if (type === 'sluice:ready') this.#becomesLive.resolve();
    else if (type === 'sluice:gap') this.#tally.gaps += 1;
  }

  #noteData(data: string): void {
    if (this.#type === 'sluice:closing') this.#closingReason = data;
    if (this.#type !== '') return;
    const [publisher = '', number = '', sent = ''] = data.slice(0, LEAST_EVENT_SIZE).split(' ');
    switch (this.#sequences[Number(publisher)]?.note(Number(number))) {
      case 'twice':
        this.#tally.twice += 1;
        return;
      case 'late':
        this.#tally.outOfOrder += 1;
        break;
      case 'next':
        break;
      case undefined:
        // An event of somebody else, on a channel that the user has named.
        return;
    }
    this.#tally.deliveries += 1;
    this.#tally.latency.record(Math.max(1, microseconds() - Number(sent)));
  }

  #ended(): void {
    this.#hasEnded = true;
    this.#tally.endedStreams += 1;
    const reason = this.#closingReason === undefined ? '' : `: ${this.#closingReason}`;
    this.#becomesLive.reject(new Error(`the broker ended the stream${reason}`));
  }
}

/** The events of one publisher at one subscriber. A publisher sends one event at a time, so its numbers have to arrive in order. */
class Sequence {
  #next = 0;
  readonly #holes = new Set<number>();

  /** Returns undefined for a number that no publisher of this bench has sent. */
  note(number: number): 'next' | 'late' | 'twice' | undefined {
    if (!Number.isSafeInteger(number) || number - this.#next > MAX_HOLES) return undefined;
    if (number < this.#next) return this.#holes.delete(number) ? 'late' : 'twice';
    for (let hole = this.#next; hole < number; hole++) this.#holes.add(hole);
    this.#next = number + 1;
    return 'next';
  }

  /** @param published the numbers below this one were published. The next one may have been, too. */
  missing(published: number): number {
    const received = this.#next - this.#holes.size - Math.max(0, this.#next - published);
    return published - received;
  }
}

function microseconds(): number {
  return Math.round(performance.now() * 1_000);
}
