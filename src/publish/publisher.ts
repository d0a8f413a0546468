import type { Access } from '../auth/access.ts';
import { revokedToken } from '../auth/token-errors.ts';
import type { PublisherAccess } from '../auth/publisher-access.ts';
import type { Revocations } from '../replicas/revocations.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { matchesAny } from '../events/channel-pattern.ts';
import { BrokerError } from '../events/errors.ts';
import type { Appended, EventLog, HistoryPolicy } from '../log/event-log.ts';
import { parseEventId } from '../events/event.ts';
import type { EventId } from '../events/event.ts';
import type { RequestTrace, RequestTracer, TracedRequest } from './request-tracer.ts';
import { parsePublication, parseRawPublication } from './publication.ts';
import type { Publication, PublishBody } from './publication.ts';
import type { CountedPublish, PublishLimiter, RateHeaders } from './publish-limiter.ts';

export interface PublisherOptions {
  readonly log: Pick<EventLog, 'append'>;
  /** What the log keeps of each channel. */
  readonly policy: HistoryPolicy;
  readonly credentials: Pick<PublisherAccess, 'of' | 'known'>;
  readonly revocations: Pick<Revocations, 'refuses'>;
  readonly limiter: Pick<PublishLimiter, 'count'>;
  /** Of a body, and of data as they are delivered. */
  readonly maxBodyBytes: number;
  readonly instruments: PublishInstruments;
  /** Undefined where nothing is traced. */
  readonly tracer: RequestTracer | undefined;
}

/** What the publisher counts and measures. */
export interface PublishInstruments {
  published(result: PublishResult, seconds: number): void;
}

export type PublishResult = 'ok' | 'replayed' | 'unavailable' | 'full' | 'error';

/** What a publisher is answered when its event is in the log. */
export interface PublishAnswer {
  /** `{"channel":"…","id":"…"}`, in ASCII. */
  readonly json: string;
  /** True when an earlier publish with the same idempotency key gave the id. */
  readonly replayed: boolean;
}

/** Publishes that may wait for the log's answer at once. */
const MAX_IN_FLIGHT = 10_000;

/**
 * The one way in for publishes (docs/protocol.md §2): the HTTP routes and the publish lane both call it. A request goes
 * through an attempt: {@link begin}, then `admit` before its body is read, {@link read} for the body, `publish`, and
 * `end` when the request was answered.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #steps: PublishSteps;
  #inFlight = 0;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#steps = {
      credentials: options.credentials,
      limiter: options.limiter,
      refusalOf: (access, channel) => this.refusalOf(access, channel),
      append: (publication, idempotencyKey, trace) => this.#append(publication, idempotencyKey, trace),
    };
  }

  /** @param describe the request for its span; called only where requests are traced */
  begin(describe: () => TracedRequest): PublishAttempt {
    return new PublishAttempt(this.#steps, this.#options.tracer?.start(describe()));
  }

  /**
   * What a credential allows, where that can be said at once and without counting a wrong one. Undefined says nothing:
   * `admit` decides then.
   */
  known(credential: string): Access | undefined {
    return this.#options.credentials.known(credential);
  }

  /** @throws BrokerError `invalid-body` with a pointer to each fault, `invalid-channel`, `invalid-event`, `body-too-large` */
  read({ channel, type, bytes }: PublishBody): Publication {
    const { maxBodyBytes } = this.#options;
    return channel === undefined
      ? parsePublication(bytes, maxBodyBytes)
      : parseRawPublication(channel, type, bytes, maxBodyBytes);
  }

  /** Why the holder of this access may not publish to the channel; undefined when it may. */
  refusalOf(access: Access, channel: ChannelName): BrokerError | undefined {
    if (!matchesAny(access.publish, channel))
      return new BrokerError('forbidden', `The token does not grant publishing to ${channel}.`);
    // A publish key is taken back by taking it out of the settings.
    if (access.kind === 'token' && this.#options.revocations.refuses(access, channel)) return revokedToken();
    return undefined;
  }

  async #append(
    { channel, event }: Publication,
    idempotencyKey: string | undefined,
    trace: RequestTrace | undefined,
  ): Promise<Appended> {
    const { log, policy, instruments } = this.#options;
    if (this.#inFlight >= MAX_IN_FLIGHT) {
      instruments.published('unavailable', 0);
      throw new BrokerError(
        'log-unavailable',
        'Too many events wait for the log to answer. Nothing was published; try again.',
      );
    }
    const began = performance.now();
    const span = trace?.append(channel);
    let result: PublishResult = 'error';
    this.#inFlight++;
    try {
      const [appended] = await log.append(channel, [event], { policy, idempotencyKey });
      if (appended === undefined) throw new Error('the log gave no result for an event');
      result = appended.replayed ? 'replayed' : 'ok';
      span?.appended(appended.id, appended.replayed);
      return appended;
    } catch (error) {
      if (error instanceof BrokerError && error.code === 'log-unavailable') result = 'unavailable';
      if (error instanceof BrokerError && error.code === 'log-full') result = 'full';
      span?.failed(error);
      throw error;
    } finally {
      this.#inFlight--;
      instruments.published(result, (performance.now() - began) / 1000);
    }
  }
}

/** What an attempt needs of its publisher. */
interface PublishSteps extends Pick<PublisherOptions, 'credentials' | 'limiter'> {
  readonly refusalOf: (access: Access, channel: ChannelName) => BrokerError | undefined;
  readonly append: (
    publication: Publication,
    idempotencyKey: string | undefined,
    trace: RequestTrace | undefined,
  ) => Promise<Appended>;
}

/** Why a request is refused; undefined when it is not. */
type Refusal = BrokerError | undefined;

/** One publish request on its way. */
export class PublishAttempt {
  readonly #steps: PublishSteps;
  readonly #trace: RequestTrace | undefined;
  #access: Access | undefined;
  #rateHeaders: RateHeaders | undefined;

  constructor(steps: PublishSteps, trace: RequestTrace | undefined) {
    this.#steps = steps;
    this.#trace = trace;
  }

  /** Whether {@link end} does anything. */
  get isTraced(): boolean {
    return this.#trace !== undefined;
  }

  /** To be sent with the answer, whatever it is; undefined where no rate is set or nothing was counted. */
  get rateHeaders(): RateHeaders | undefined {
    return this.#rateHeaders;
  }

  /**
   * Checks who publishes and counts the request against the rates. Call it before the body is read: who may not publish
   * does not get to make the broker parse. Gives a promise only where a token has to be verified or the counter is
   * shared.
   *
   * @param fault what is wrong with the head; only those who may publish are told, and the request is not counted
   * @throws BrokerError by rejection alone, when the verification of a token fails
   */
  admit(
    credential: string | undefined,
    address: string,
    fault: BrokerError | undefined,
  ): Refusal | Promise<Refusal> {
    const proceed = (access: Access): Refusal | Promise<Refusal> => {
      if (access.publish.length === 0)
        return new BrokerError('forbidden', 'The token does not grant publishing to any channel.');
      return fault ?? this.admitKnown(access, credential ?? '', address);
    };
    const access = this.#steps.credentials.of(credential, address);
    if (access instanceof BrokerError) return access;
    return access instanceof Promise ? access.then(proceed) : proceed(access);
  }

  /** The same for a credential whose access is {@link Publisher.known}: only the rates are left to be asked. */
  admitKnown(access: Access, credential: string, address: string): Refusal | Promise<Refusal> {
    this.#access = access;
    const counted = this.#steps.limiter.count({ credential, access, address });
    return counted instanceof Promise ? counted.then(this.#keepHeaders) : this.#keepHeaders(counted);
  }

  /** @throws BrokerError `forbidden`, `unauthorized` for a revoked token, and as {@link EventLog.append} does */
  async publish(publication: Publication, idempotencyKey: string | undefined): Promise<PublishAnswer> {
    const { channel } = publication;
    if (this.#access === undefined) throw new Error('a publish was not admitted');
    const refusal = this.#steps.refusalOf(this.#access, channel);
    if (refusal !== undefined) throw refusal;
    const { id, replayed } = await this.#steps.append(publication, idempotencyKey, this.#trace);
    return { json: acknowledgement(channel, id), replayed };
  }

  /** @param status of the answer; undefined when the client did not get all of it */
  end(status: number | undefined): void {
    this.#trace?.end(status);
  }

  readonly #keepHeaders = (counted: CountedPublish | undefined): Refusal => {
    this.#rateHeaders = counted?.headers;
    return counted?.refusal;
  };
}

/**
 * Neither a channel name nor an id has a character that JSON escapes.
 * @throws Error for an id that is none: whoever can write to the log's Redis may have put anything in its place
 */
function acknowledgement(channel: ChannelName, id: EventId): string {
  if (parseEventId(id) === undefined)
    throw new Error(`the log answered with an id that is none: ${JSON.stringify(id.slice(0, 100))}`);
  return `{"channel":"${channel}","id":"${id}"}`;
}
