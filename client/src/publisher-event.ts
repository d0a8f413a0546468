import { SluicePublishError } from './publisher-error.ts';

/** What a publish says about its event. */
export interface PublishOptions {
  /** The type of the event. */
  readonly event?: string;
  /** The event is the newest value of this key. */
  readonly key?: string;
  /** Publishes only if this id is the tail of the channel. Otherwise the publish is rejected with `tail-mismatch`. */
  readonly ifLast?: string;
  /** The event is the last of its channel. Without data the channel ends without an event. */
  readonly close?: boolean;
  /** The channel forgets the `key`. There are no data then. */
  readonly delete?: boolean;
  /**
   * Your own idempotency key, for a publish that is repeated after this process has ended. The publisher itself needs none: it
   * repeats failed requests with keys of its own.
   */
  readonly idempotencyKey?: string;
  /** Withdraws the publish. When its request is under way, the event may be published all the same. */
  readonly signal?: AbortSignal;
}

const PUBLISH_OPTIONS: Readonly<Record<keyof PublishOptions, true>> = {
  event: true,
  key: true,
  ifLast: true,
  close: true,
  delete: true,
  idempotencyKey: true,
  signal: true,
};

/** An event in the form in which it is sent. */
export interface EventLine {
  readonly channel: string;
  /** The event as JSON. */
  readonly line: string;
  /** The size of the line in UTF-8. */
  readonly bytes: number;
  /** Whether the event needs a request of its own. */
  readonly alone: boolean;
  /** Whether the event is the last of its channel. */
  readonly closes: boolean;
  /** The caller's own idempotency key. */
  readonly idempotencyKey: string | undefined;
}

/** @throws TypeError for data that JSON cannot express and for a wrong idempotency key, SluicePublishError `invalid-channel` */
export function eventLine(channel: string, data: unknown, options: PublishOptions): EventLine {
  checkOptions(options, PUBLISH_OPTIONS);
  checkChannel(channel);
  checkIdempotencyKey(options.idempotencyKey);
  const { event, key, ifLast, close = false, delete: deletes, idempotencyKey } = options;
  if (data === undefined && !close && deletes !== true)
    throw new TypeError('The data are undefined. Only `close` and `delete` go without data.');
  const head = JSON.stringify({ channel, event, key, ifLast, close: close || undefined, delete: deletes });
  const line = data === undefined ? head : `${head.slice(0, -1)},"data":${jsonOf(data)}}`;
  return {
    channel,
    line,
    bytes: Buffer.byteLength(line),
    // A condition concerns one publish. The caller's key must mean the same in every request that has it.
    alone: ifLast !== undefined || idempotencyKey !== undefined,
    closes: close,
    idempotencyKey,
  };
}

/** @throws SluicePublishError `invalid-channel` */
export function checkChannel(channel: string): void {
  if (/^(?!\.\.?$)[A-Za-z0-9._:~-]{1,200}$/.test(channel)) return;
  throw new SluicePublishError('invalid-channel', {
    detail: 'A channel name is 1 to 200 characters of A-Z a-z 0-9 . _ : ~ - (but not "." and "..").',
  });
}

/** @throws TypeError that names an option that does not exist */
export function checkOptions(options: object, known: Readonly<Record<string, true>>): void {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  throw new TypeError(`There is no option "${unknown}". There are: ${Object.keys(known).join(', ')}.`);
}

/** A header takes no other characters, so the request would fail before it is sent. @throws TypeError */
export function checkIdempotencyKey(key: string | undefined): void {
  if (key === undefined || /^[\x21-\x7e]{1,200}$/.test(key)) return;
  throw new TypeError('idempotencyKey is 1 to 200 visible ASCII characters.');
}

function jsonOf(data: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(data);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new TypeError(`The data cannot be written as JSON: ${why}`, { cause: error });
  }
  if (json === undefined) throw new TypeError(`The data cannot be written as JSON: ${typeof data}.`);
  return json;
}
