import { Buffer } from 'node:buffer';
import { BrokerError } from '../../events/errors.ts';
import { ORIGIN } from '../../events/event.ts';
import type { EventId, StoredEvent } from '../../events/event.ts';
import type { Appended, LatestPage, LogPage } from '../event-log.ts';
import { diskFailure } from './disk-failure.ts';
import type { DiskFailure } from './disk-failure.ts';
import type { ReadAnswers, ReadRequest } from './storage-requests.ts';
import type { WriteOutcome } from './storage.ts';
import type { ReadReplies } from './waiting-reads.ts';

/** The replies that the storage thread posts together. */
export interface ReplyMessage {
  /** The fields of all replies, one after the other. */
  readonly fields: readonly unknown[];
}

/** The first field of a reply. */
const APPENDED = 0;
const OUTCOME = 1;
const FAILURE = 2;
const ANSWER = 3;
const PAGE = 4;
const REFUSED = 5;
const HEALTH = 6;
const COMMITTED = 7;
const SYNCED = 8;
/** The usual outcome of an append: one new event, and nothing else. It has fewer fields, because each of them costs time. */
const APPENDED_ONE = 9;

type Answer = ReadAnswers[keyof ReadAnswers];

/** A refusal by the storage, in a form that can be posted. */
type PostedError = Pick<BrokerError, 'code' | 'message' | 'trouble'>;

/** Events as they are posted: without an object for each of them. */
interface PackedEvents {
  readonly ids: readonly EventId[];
  /** The predecessor of the first event. The predecessor of any other event is the event before. */
  readonly prev: EventId;
  readonly ends: Uint32Array;
  readonly records: ArrayBuffer;
}

/** Receives what the requests have come to. A ticket is the number of a request. */
export interface Replies extends ReadReplies {
  outcome(ticket: number, outcome: WriteOutcome): void;
  /** The outcome of a request that may have been done can still come. */
  failure(ticket: number, failure: DiskFailure): void;
  /** Called when writes begin to fail, when the reason changes, and with undefined when they succeed again. */
  health(failure: DiskFailure | undefined): void;
  /** Called after each commit, with the number of its events. A request without events counts as one. */
  committed(events: number): void;
  /** Called after each sync, with the seconds that it took. */
  synced(seconds: number): void;
  /** Sends all replies since the last call. */
  flush(): void;
}

/** Collects replies of the storage thread and posts them together. */
export class ReplyBatch implements Replies {
  readonly #post: (message: ReplyMessage, transfer: readonly ArrayBuffer[]) => void;
  #fields: unknown[] = [];
  #transfer: ArrayBuffer[] = [];
  /** How many of the fields are counts. Counts alone are not posted: each message wakes the other thread. */
  #counts = 0;

  constructor(post: (message: ReplyMessage, transfer: readonly ArrayBuffer[]) => void) {
    this.#post = post;
  }

  outcome(ticket: number, outcome: WriteOutcome): void {
    if (outcome.kind !== 'appended') {
      this.#fields.push(OUTCOME, ticket, outcome);
      return;
    }
    const { results, prev, tail, ended, keysDropped } = outcome;
    const [first] = results;
    if (results.length === 1 && first?.id === tail && !first.replayed && !ended && keysDropped === 0) {
      this.#fields.push(APPENDED_ONE, ticket, prev, tail);
      return;
    }
    this.#fields.push(APPENDED, ticket, prev, tail, ended, keysDropped, results.length);
    for (const { id, replayed } of results) this.#fields.push(id, replayed);
  }

  failure(ticket: number, failure: DiskFailure): void {
    this.#fields.push(FAILURE, ticket, failure);
  }

  answer(ticket: number, kind: ReadRequest['kind'], answer: Answer): void {
    if (kind !== 'read' && kind !== 'latest') {
      this.#fields.push(ANSWER, ticket, answer);
      return;
    }
    const { events, ...page } = answer as LogPage | LatestPage;
    const packed = packEvents(events);
    this.#transfer.push(packed.records);
    this.#fields.push(PAGE, ticket, packed, page);
  }

  refused(ticket: number, error: unknown): void {
    if (error instanceof BrokerError) {
      const { code, message, trouble } = error;
      this.#fields.push(REFUSED, ticket, { code, message, trouble } satisfies PostedError);
    } else this.#fields.push(FAILURE, ticket, diskFailure(error));
  }

  health(failure: DiskFailure | undefined): void {
    this.#fields.push(HEALTH, failure);
  }

  committed(events: number): void {
    this.#fields.push(COMMITTED, events);
    this.#counts += 2;
  }

  synced(seconds: number): void {
    this.#fields.push(SYNCED, seconds);
    this.#counts += 2;
  }

  flush(): void {
    if (this.#fields.length === this.#counts) return;
    const [fields, transfer] = [this.#fields, this.#transfer];
    this.#fields = [];
    this.#transfer = [];
    this.#counts = 0;
    this.#post({ fields }, transfer);
  }
}

/** Receives the replies on the main thread. */
export interface ReplyTaker {
  outcome(ticket: number, outcome: WriteOutcome): void;
  failure(ticket: number, failure: DiskFailure): void;
  answer(ticket: number, answer: unknown): void;
  refused(ticket: number, error: BrokerError): void;
  /** Why writes fail now; undefined when they succeed. */
  troubled(failure: DiskFailure | undefined): void;
  committed(events: number): void;
  synced(seconds: number): void;
}

/** Gives the replies of a message, in their order, to the taker. */
export function takeReplies({ fields }: ReplyMessage, taker: ReplyTaker): void {
  let at = 0;
  const next = (): unknown => fields[at++];
  while (at < fields.length) {
    const kind = next();
    if (kind === HEALTH) taker.troubled(next() as DiskFailure | undefined);
    else if (kind === COMMITTED) taker.committed(next() as number);
    else if (kind === SYNCED) taker.synced(next() as number);
    else {
      const ticket = next() as number;
      if (kind === APPENDED_ONE) {
        const [prev, tail] = [next() as EventId, next() as EventId];
        const results = [{ id: tail, replayed: false }];
        taker.outcome(ticket, { kind: 'appended', results, prev, tail, ended: false, keysDropped: 0 });
      } else if (kind === APPENDED) {
        const [prev, tail] = [next() as EventId, next() as EventId];
        const [ended, keysDropped] = [next() as boolean, next() as number];
        const results: Appended[] = [];
        for (let left = next() as number; left > 0; left--)
          results.push({ id: next() as EventId, replayed: next() as boolean });
        taker.outcome(ticket, { kind: 'appended', results, prev, tail, ended, keysDropped });
      } else if (kind === OUTCOME) taker.outcome(ticket, next() as WriteOutcome);
      else if (kind === FAILURE) taker.failure(ticket, next() as DiskFailure);
      else if (kind === PAGE) {
        const events = unpackEvents(next() as PackedEvents);
        taker.answer(ticket, { events, ...(next() as Omit<LogPage, 'events'>) });
      } else if (kind === REFUSED) {
        const { code, message, trouble } = next() as PostedError;
        taker.refused(ticket, new BrokerError(code, message, trouble && { trouble }));
      } else taker.answer(ticket, next());
    }
  }
}

/** The records of a page share one buffer that nothing else uses, so the buffer goes to the other thread as it is. */
function packEvents(events: readonly StoredEvent[]): PackedEvents {
  const ends = new Uint32Array(events.length);
  const first = events[0];
  if (first === undefined) return { ids: [], prev: ORIGIN, ends, records: new ArrayBuffer(0) };
  const { buffer } = first.record;
  let end = first.record.byteOffset;
  let isPacked = end === 0;
  for (const [i, { record }] of events.entries()) {
    isPacked &&= record.buffer === buffer && record.byteOffset === end;
    end += record.length;
    ends[i] = end;
  }
  const ids = events.map(({ id }) => id);
  if (isPacked && buffer.byteLength === end)
    return { ids, prev: first.prev, ends, records: buffer as ArrayBuffer };
  const start = first.record.byteOffset;
  const own = Buffer.allocUnsafeSlow(end - start);
  let at = 0;
  for (const { record } of events) at += record.copy(own, at);
  return {
    ids,
    prev: first.prev,
    ends: ends.map((each) => each - start),
    records: own.buffer,
  };
}

function unpackEvents({ ids, prev, ends, records }: PackedEvents): StoredEvent[] {
  let before = prev;
  let start = 0;
  return ids.map((id, i) => {
    const end = ends[i] as number;
    const event = { id, prev: before, record: Buffer.from(records, start, end - start) };
    before = id;
    start = end;
    return event;
  });
}
