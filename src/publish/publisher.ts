import type { Access } from '../auth/access.ts';
import { revokedToken } from '../auth/token-errors.ts';
import type { PublisherAccess } from '../auth/publisher-access.ts';
import type { Revocations } from '../replicas/revocations.ts';
import type { SubscribedChannels } from '../replicas/subscribed-channels.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { matchesAny } from '../events/channel-pattern.ts';
import type { ChannelPolicies } from '../events/channel-policies.ts';
import { BrokerError, rejected } from '../events/errors.ts';
import type { BrokerErrorCode } from '../events/errors.ts';
import type { Appended, AppendOptions, EventLog } from '../log/event-log.ts';
import type { NewEvent } from '../events/event.ts';
import type { AppendTrace, RequestTracer, TracedRequest } from './request-tracer.ts';
import { parseRawPublication } from './publication.ts';
import type { Broadcast, Publication, PublishBody } from './publication.ts';
import { PublicationListReader } from './publication-list.ts';
import type { ListForm, PublicationList } from './publication-list.ts';
import { PublicationScanner } from './publication-scanner.ts';
import { PublishAttempt } from './publish-attempt.ts';
import type { PublishSteps } from './publish-attempt.ts';
import type { PublishLoop } from './append-many.ts';
import type { PublishLimiter } from './publish-limiter.ts';
import { Uploads } from './uploads.ts';

export interface PublisherOptions {
  readonly log: Pick<EventLog, 'append' | 'checkKeys'>;
  /** Says which events the log keeps of each channel, and which of them get a key. */
  readonly policies: Pick<ChannelPolicies, 'historyOf' | 'isLatest'>;
  readonly credentials: Pick<PublisherAccess, 'of' | 'known'>;
  readonly revocations: Pick<Revocations, 'refuses'>;
  readonly limiter: Pick<PublishLimiter, 'count' | 'isOff'>;
  /** Knows the channels that have a subscriber at any replica. */
  readonly subscribed: Pick<SubscribedChannels, 'list'>;
  /** Spreads long work over turns of the event loop. */
  readonly loop: PublishLoop;
  /** The limit for a body, and for the delivered form of its data. */
  readonly maxBodyBytes: number;
  readonly instruments: PublishInstruments;
  /** Undefined when tracing is off. */
  readonly tracer: RequestTracer | undefined;
}

/** What the publisher counts and measures. */
export interface PublishInstruments {
  /** Called for each append, with its number of events. */
  published(result: PublishResult, seconds: number, events: number, channel: ChannelName): void;
}

/** `refused`: the channel had ended, or another condition of the publisher was not met. */
export type PublishResult = 'ok' | 'replayed' | 'refused' | 'unavailable' | 'full' | 'error';

/** The largest number of appends that wait for the log at the same time. */
const MAX_IN_FLIGHT = 10_000;

/** An append on its way. */
interface Append<T> {
  readonly channel: ChannelName;
  /** How many events it has. */
  readonly events: number;
  readonly span: AppendTrace | undefined;
  readonly answer: (channel: ChannelName, appended: readonly Appended[]) => T;
  /** In ms of the monotonic clock. */
  readonly began: number;
}

const RESULTS: Partial<Record<BrokerErrorCode, PublishResult>> = {
  'log-unavailable': 'unavailable',
  'log-full': 'full',
  'channel-ended': 'refused',
  'tail-mismatch': 'refused',
  'idempotency-key-reused': 'refused',
};

/**
 * Carries out publishes (docs/protocol.md §2) for the HTTP routes and for the publish lane. Each request is an attempt with
 * these steps: {@link begin}; `admit` before the body is read; {@link read} or {@link readList} for the body; `publish` or
 * `publishList`; and `end` after the answer. An upload is published while its body arrives, by `upload`.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #steps: PublishSteps;
  readonly #scanner: PublicationScanner;
  readonly #uploads = new Uploads();
  #inFlight = 0;

  constructor(options: PublisherOptions) {
    const { credentials, limiter, log, policies, subscribed, loop, maxBodyBytes } = options;
    this.#options = options;
    this.#scanner = new PublicationScanner(maxBodyBytes);
    this.#steps = {
      credentials,
      limiter: limiter.isOff ? undefined : limiter,
      subscribed,
      loop,
      maxBodyBytes,
      uploads: this.#uploads,
      refusalOf: (access, channel) => this.refusalOf(access, channel),
      append: (channel, events, condition, span, answer) =>
        this.#append(channel, events, condition, span, answer),
      checkKeys: (channel, events, condition) =>
        log.checkKeys(channel, this.#keyed(channel, events), {
          policy: policies.historyOf(channel),
          ...condition,
        }),
    };
  }

  /** Whether tracing is on. */
  get isTraced(): boolean {
    return this.#options.tracer !== undefined;
  }

  /** @param describe describes the request for its span; called only when tracing is on */
  begin(describe?: () => TracedRequest): PublishAttempt {
    const { tracer } = this.#options;
    return new PublishAttempt(
      this.#steps,
      tracer === undefined || describe === undefined ? undefined : tracer.start(describe()),
    );
  }

  /**
   * Returns what a credential allows, when that is known at once. Undefined means neither yes nor no: `admit` decides. Does
   * not count wrong credentials.
   */
  known(credential: string): Access | undefined {
    return this.#options.credentials.known(credential);
  }

  /** @throws BrokerError `invalid-body` with a pointer to each fault, `invalid-channel`, `invalid-event`, `body-too-large` */
  read(body: PublishBody): Publication | Broadcast {
    return body.channel === undefined
      ? this.#scanner.readBody(body.bytes)
      : parseRawPublication(body.channel, body, this.#options.maxBodyBytes);
  }

  /** Reads a body of many events, in slices. @throws BrokerError by rejection, as {@link read} does */
  readList(bytes: Buffer, form: ListForm): Promise<PublicationList> {
    const reader = new PublicationListReader(bytes, form, this.#options.maxBodyBytes);
    const { promise, resolve, reject } = Promise.withResolvers<PublicationList>();
    this.#options.loop.add({
      run: (until) => {
        try {
          const list = reader.readUntil(until);
          if (list === undefined) return true;
          resolve(list);
        } catch (error) {
          reject(error);
        }
        return false;
      },
    });
    return promise;
  }

  /** Returns the error for a publish to the channel with this access; undefined when the access allows it. */
  refusalOf(access: Access, channel: ChannelName): BrokerError | undefined {
    if (!matchesAny(access.publish, channel))
      return new BrokerError('forbidden', `The token does not grant publishing to ${channel}.`);
    // Revocations concern only tokens. A publish key is revoked by removing it from the settings.
    if (access.kind === 'token' && this.#options.revocations.refuses(access, channel)) return revokedToken();
    return undefined;
  }

  /** Lets uploads finish within `window` ms, and then ends them. Resolves when there are none left. */
  drain(window: number): Promise<void> {
    return this.#uploads.drain(window);
  }

  /** Gives the empty key to events without a key, in a channel whose policy keeps the latest of them. */
  #keyed(channel: ChannelName, events: readonly NewEvent[]): readonly NewEvent[] {
    if (!this.#options.policies.isLatest(channel)) return events;
    return events.map((event) => (event.key === undefined ? { ...event, key: '' } : event));
  }

  /**
   * Appends, and counts the result. Rejects and does not throw. Returns no promise when the log does not wait, because a promise
   * costs a turn of the microtask queue for each publish.
   * @param answer makes the result
   */
  #append<T>(
    channel: ChannelName,
    events: readonly NewEvent[],
    { idempotencyKey, firstPosition, ifLast, end }: Omit<AppendOptions, 'policy'>,
    span: AppendTrace | undefined,
    answer: (channel: ChannelName, appended: readonly Appended[]) => T,
  ): T | Promise<T> {
    const { log, policies } = this.#options;
    const append = { channel, events: events.length, span, answer, began: performance.now() };
    try {
      if (this.#inFlight >= MAX_IN_FLIGHT) throw tooManyWait();
      const policy = policies.historyOf(channel);
      const options = { policy, idempotencyKey, firstPosition, ifLast, end };
      const appended = log.append(channel, this.#keyed(channel, events), options);
      return appended instanceof Promise ? this.#await(append, appended) : this.#succeed(append, appended);
    } catch (error) {
      this.#fail(append, error);
      return rejected(error);
    }
  }

  async #await<T>(append: Append<T>, appended: Promise<readonly Appended[]>): Promise<T> {
    this.#inFlight++;
    try {
      return this.#succeed(append, await appended);
    } catch (error) {
      this.#fail(append, error);
      throw error;
    } finally {
      this.#inFlight--;
    }
  }

  /** @throws Error when the log gave no result, or an invalid one */
  #succeed<T>({ channel, events, span, answer, began }: Append<T>, appended: readonly Appended[]): T {
    const last = appended.at(-1);
    if (last === undefined) throw new Error('the log gave no result for an event');
    const answered = answer(channel, appended);
    const seconds = (performance.now() - began) / 1_000;
    this.#options.instruments.published(last.replayed ? 'replayed' : 'ok', seconds, events, channel);
    span?.appended(last.id, last.replayed);
    return answered;
  }

  #fail<T>({ channel, events, span, began }: Append<T>, error: unknown): void {
    const result = (error instanceof BrokerError ? RESULTS[error.code] : undefined) ?? 'error';
    const seconds = (performance.now() - began) / 1_000;
    this.#options.instruments.published(result, seconds, events, channel);
    span?.failed(error);
  }
}

function tooManyWait(): BrokerError {
  return new BrokerError(
    'log-unavailable',
    'Too many publishes wait for the log. Nothing was published. Try again.',
  );
}
