import { PublisherCredential } from './publisher-credential.ts';
import type { GetToken } from './publisher-credential.ts';
import { PublisherDelivery } from './publisher-delivery.ts';
import type { Published } from './publisher-delivery.ts';
import { SluicePublishError } from './publisher-error.ts';
import { checkOptions, eventLine } from './publisher-event.ts';
import type { PublishOptions } from './publisher-event.ts';
import { PublisherPipeline } from './publisher-pipeline.ts';
import { PublishRequests } from './publisher-requests.ts';
import { upload } from './publisher-upload.ts';
import type { UploadOptions, UploadSource, Uploaded } from './publisher-upload.ts';

export { SluicePublishError };
export type { Published, PublishOptions, UploadOptions, UploadSource, Uploaded };

/** How to reach the broker, and what the publisher may hold. */
export interface PublisherOptions {
  /** The broker's URL, such as `https://events.example.com`. */
  readonly url: string;
  /** A publish key. Give either `key` or `getToken`. */
  readonly key?: string;
  /**
   * Gets a token that may publish. It is called at the start, before the token expires, and when the broker has refused the
   * token. When it throws, the publisher tries again.
   */
  readonly getToken?: GetToken;
  /** How many events may wait for their acknowledgement. Default: 10,000. */
  readonly maxQueuedEvents?: number;
  /** How many bytes these events may have as JSON. Default: 16 MiB. The last event may exceed the limit. */
  readonly maxQueuedBytes?: number;
  /** How many events one request may have, 10,000 at most. Default: 1,000. */
  readonly maxBatchEvents?: number;
  /** How large the body of a request may be. Default: 1 MiB, as `SLUICE_MAX_BODY_BYTES` of the broker. */
  readonly maxBatchBytes?: number;
  /** How many requests may be under way at the same time, each with other channels. Default: 4. */
  readonly maxRequests?: number;
  /** How long an event waits for others to go with it. Default: 0, for the events of one turn of the event loop. */
  readonly lingerMs?: number;
  /** How long a publish may take, with all repetitions, before it is rejected. Default: 30,000. */
  readonly timeoutMs?: number;
  /** How long one attempt of a request may take. Default: 10,000. */
  readonly requestTimeoutMs?: number;
  /** Used instead of the global `fetch`. */
  readonly fetch?: typeof fetch;
}

/** Publishes events to a broker: many in one request, in order, and each once. */
export interface Publisher extends AsyncDisposable {
  /**
   * Publishes an event, and resolves when the event is in the log. A string is delivered as it is, any other value as JSON.
   *
   * The events of a channel are published in the order of the calls. A request that fails is repeated until `timeoutMs`, and
   * the broker publishes its events once all the same. A publish that is rejected does not stop the ones behind it.
   * @throws SluicePublishError, at once with `queue-full` (see {@link ready}) or `closed`; TypeError for data that JSON cannot
   *   express
   */
  publish(channel: string, data?: unknown, options?: PublishOptions): Promise<Published>;
  /** Resolves when there is room for the next event. The next publish is then accepted, if no other publish came before it. */
  ready(): Promise<void>;
  /** Publishes a source while it is read, in one request. Nothing is repeated after a failure. */
  upload(channel: string, source: UploadSource, options?: UploadOptions): Promise<Uploaded>;
  /** Resolves when every event that was published so far is acknowledged or rejected. */
  flush(): Promise<void>;
  /** Accepts no more, and resolves when all events and uploads are acknowledged or rejected. */
  close(): Promise<void>;
}

const PUBLISHER_OPTIONS: Readonly<Record<keyof PublisherOptions, true>> = {
  url: true,
  key: true,
  getToken: true,
  maxQueuedEvents: true,
  maxQueuedBytes: true,
  maxBatchEvents: true,
  maxBatchBytes: true,
  maxRequests: true,
  lingerMs: true,
  timeoutMs: true,
  requestTimeoutMs: true,
  fetch: true,
};

const MIB = 1024 * 1024;
/** The broker takes no more events in one body. */
const MAX_BODY_EVENTS = 10_000;

/** Makes a publisher. It opens connections when there is something to publish. @throws TypeError for invalid options */
export function createPublisher(options: PublisherOptions): Publisher {
  checkOptions(options, PUBLISHER_OPTIONS);
  const { key, getToken } = options;
  const source = key ?? getToken;
  if (source === undefined || (key !== undefined && getToken !== undefined))
    throw new TypeError('A publisher needs either a key or getToken.');
  const requests = new PublishRequests({
    url: baseUrl(options.url),
    credential: new PublisherCredential(source),
    fetch: options.fetch ?? fetch,
  });
  const number = (name: NumberOption, fallback: number, least = 1, most = 2 ** 31 - 1): number => {
    const value = options[name] ?? fallback;
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new TypeError(`${name} is a whole number from ${least} to ${most}.`);
  };
  const limits = {
    maxQueuedEvents: number('maxQueuedEvents', 10_000),
    maxQueuedBytes: number('maxQueuedBytes', 16 * MIB),
    maxBatchEvents: number('maxBatchEvents', 1_000, 1, MAX_BODY_EVENTS),
    maxBatchBytes: number('maxBatchBytes', MIB),
    maxRequests: number('maxRequests', 4),
    lingerMs: number('lingerMs', 0, 0),
    timeoutMs: number('timeoutMs', 30_000),
  };
  const delivery = new PublisherDelivery({
    requests,
    requestTimeoutMs: number('requestTimeoutMs', 10_000),
  });
  return new BrokerPublisher(requests, new PublisherPipeline(limits, delivery));
}

type NumberOption = {
  [Name in keyof PublisherOptions]-?: PublisherOptions[Name] extends number | undefined ? Name : never;
}[keyof PublisherOptions];

class BrokerPublisher implements Publisher {
  readonly #requests: PublishRequests;
  readonly #pipeline: PublisherPipeline;
  readonly #uploads = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  constructor(requests: PublishRequests, pipeline: PublisherPipeline) {
    this.#requests = requests;
    this.#pipeline = pipeline;
  }

  async publish(channel: string, data?: unknown, options: PublishOptions = {}): Promise<Published> {
    this.#refuseClosed();
    return await this.#pipeline.publish(eventLine(channel, data, options), options.signal);
  }

  ready(): Promise<void> {
    return this.#pipeline.ready();
  }

  async upload(channel: string, source: UploadSource, options: UploadOptions = {}): Promise<Uploaded> {
    this.#refuseClosed();
    const uploading = upload(this.#requests, channel, source, options);
    this.#uploads.add(uploading);
    try {
      return await uploading;
    } finally {
      this.#uploads.delete(uploading);
    }
  }

  flush(): Promise<void> {
    return this.#pipeline.flush();
  }

  close(): Promise<void> {
    this.#closed ??= this.#finish();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #finish(): Promise<void> {
    await this.#pipeline.flush();
    await Promise.allSettled(this.#uploads);
  }

  #refuseClosed(): void {
    if (this.#closed !== undefined)
      throw new SluicePublishError('closed', { detail: 'The publisher was closed.' });
  }
}

/** The URL without the slash at its end. @throws TypeError */
function baseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url === undefined ||
    !['http:', 'https:'].includes(url.protocol) ||
    url.username !== '' ||
    url.password !== ''
  )
    throw new TypeError('url is the URL of the broker, such as https://events.example.com.');
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}
