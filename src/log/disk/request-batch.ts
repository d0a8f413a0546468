import { Buffer } from 'node:buffer';
import type { ChannelName } from '../../events/channel-name.ts';
import type { EventId, NewEvent } from '../../events/event.ts';
import { deletesKey, recordHead } from '../../events/record.ts';
import type { AppendOptions } from '../event-log.ts';
import type { KeyedPosition } from '../keyed-positions.ts';
import type { ReadRequest } from './storage-requests.ts';
import type { AppendRequest, RevokeRequest, WriteRequest } from './storage.ts';

/** The requests of one turn of the event loop, as they are posted to the storage thread. */
export interface RequestMessage {
  /** The fields of all requests, one after the other. Copying an array of texts and numbers is cheaper than copying objects. */
  readonly fields: readonly unknown[];
  /** The records of all events, one after the other. */
  readonly records: Uint8Array<ArrayBuffer>;
}

/** The first field of a request. The second one is its ticket. */
const APPEND = 0;
const CLEAR = 1;
const REVOKE = 2;
const READ = 3;

const PLAIN_HEAD = '1\n\n';

/** What follows in the fields of an append: lengths of records, and what few appends have. */
type AppendExtras = [
  lengths: number | readonly number[],
  keys: readonly (string | undefined)[] | undefined,
  deletes: readonly boolean[] | undefined,
  positions: readonly KeyedPosition[] | undefined,
];

/** The bytes of the records of all events. */
export function recordBytes(events: readonly NewEvent[]): number {
  let bytes = 0;
  for (const event of events) bytes += recordLength(event);
  return bytes;
}

export function recordLength(event: NewEvent): number {
  const head = headOf(event);
  return (head === PLAIN_HEAD ? PLAIN_HEAD.length : Buffer.byteLength(head)) + Buffer.byteLength(event.data);
}

function headOf(event: NewEvent): string {
  return event.type === undefined && event.key === undefined ? PLAIN_HEAD : recordHead(event);
}

/** Writes the record of an event into the buffer. Returns where the record ends. */
export function writeRecord(event: NewEvent, buffer: Buffer, at: number): number {
  const start = at + buffer.write(headOf(event), at);
  return start + buffer.write(event.data, start);
}

/** Collects the requests of a turn. */
export class RequestBatch {
  #fields: unknown[] = [];
  #events: NewEvent[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#fields.length === 0;
  }

  append(
    ticket: number,
    channel: ChannelName,
    events: readonly NewEvent[],
    { policy, ifLast, end = false }: AppendOptions,
    positions: readonly KeyedPosition[] | undefined,
  ): void {
    const isKeyed = events.some(({ key }) => key !== undefined);
    this.#fields.push(
      APPEND,
      ticket,
      channel,
      policy.size,
      policy.ttl,
      policy.keys,
      ifLast,
      end,
      this.#add(events),
      isKeyed ? events.map(({ key }) => key) : undefined,
      isKeyed && events.some(deletesKey) ? events.map(deletesKey) : undefined,
      positions,
    );
  }

  clear(ticket: number, channel: ChannelName, policy: AppendOptions['policy'], event: NewEvent): void {
    const { size, ttl, keys } = policy;
    this.#fields.push(CLEAR, ticket, channel, size, ttl, keys, this.#add([event]));
  }

  revoke(ticket: number, revocations: RevokeRequest['revocations']): void {
    this.#fields.push(REVOKE, ticket, revocations);
  }

  read(ticket: number, request: ReadRequest): void {
    this.#fields.push(READ, ticket, request);
  }

  /** Encodes all records into one buffer, and begins anew. */
  take(): RequestMessage {
    const records = Buffer.allocUnsafeSlow(this.#bytes);
    let at = 0;
    for (const event of this.#events) at = writeRecord(event, records, at);
    const fields = this.#fields;
    this.#fields = [];
    this.#events = [];
    this.#bytes = 0;
    return { fields, records };
  }

  /** Returns the length of the record of a single event, and otherwise a list of lengths. */
  #add(events: readonly NewEvent[]): number | readonly number[] {
    const [first] = events;
    if (first !== undefined && events.length === 1) {
      this.#events.push(first);
      const length = recordLength(first);
      this.#bytes += length;
      return length;
    }
    this.#events.push(...events);
    const lengths = events.map(recordLength);
    for (const length of lengths) this.#bytes += length;
    return lengths;
  }
}

export interface RequestTaker {
  write(ticket: number, request: WriteRequest): void;
  read(ticket: number, request: ReadRequest): void;
}

/** Gives the requests of a message, in their order, to the taker. */
export function takeRequests({ fields, records }: RequestMessage, taker: RequestTaker): void {
  let at = 0;
  let start = 0;
  const next = (): unknown => fields[at++];
  const taken = (lengths: number | readonly number[]): Uint8Array[] => {
    if (typeof lengths === 'number') return [records.subarray(start, (start += lengths))];
    return lengths.map((length) => records.subarray(start, (start += length)));
  };
  const policy = (): AppendRequest['policy'] => {
    const [size, ttl, keys] = [next() as number, next() as number, next() as number | undefined];
    return { size, ttl, keys };
  };
  const append = (): AppendRequest => {
    const channel = next() as ChannelName;
    const kept = policy();
    const ifLast = next() as EventId | undefined;
    const end = next() as boolean;
    const [lengths, keys, deletes, positions] = [next(), next(), next(), next()] as AppendExtras;
    return {
      kind: 'append',
      channel,
      records: taken(lengths),
      keys,
      deletes,
      policy: kept,
      positions,
      ifLast,
      end,
    };
  };
  while (at < fields.length) {
    const kind = next();
    const ticket = next() as number;
    if (kind === APPEND) taker.write(ticket, append());
    else if (kind === CLEAR) {
      const channel = next() as ChannelName;
      const kept = policy();
      const [record = new Uint8Array()] = taken(next() as number);
      taker.write(ticket, { kind: 'clear', channel, policy: kept, record });
    } else if (kind === REVOKE)
      taker.write(ticket, { kind: 'revoke', revocations: next() as RevokeRequest['revocations'] });
    else taker.read(ticket, next() as ReadRequest);
  }
}
