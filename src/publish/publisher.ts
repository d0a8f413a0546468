import type { Access } from '../auth/access.ts';
import { revokedToken } from '../auth/token-errors.ts';
import type { PublisherAccess } from '../auth/publisher-access.ts';
import type { Revocations } from '../replicas/revocations.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { matchesAny } from '../events/channel-pattern.ts';
import type { ChannelPolicies } from '../events/channel-policies.ts';
import { BrokerError } from '../events/errors.ts';
import type { EventLog } from '../log/event-log.ts';
import { parseEventId } from '../events/event.ts';
import type { EventId } from '../events/event.ts';
import type { RequestTrace, RequestTracer, TracedRequest } from './request-tracer.ts';
import { IDEMPOTENCY_KEY, parsePublication, parseRawPublication } from './publication.ts';
import type { Publication, PublishBody } from './publication.ts';
import type { CountedPublish, PublishLimiter, RateHeaders } from './publish-limiter.ts';

export interface PublisherOptions {
  readonly log: Pick<EventLog, 'append'>;
  /** Says which events the log keeps of each channel. */
  readonly policies: Pick<ChannelPolicies, 'historyOf'>;
  readonly credentials: Pick<PublisherAccess, 'of' | 'known'>;
  readonly revocations: Pick<Revocations, 'refuses'>;
  readonly limiter: Pick<PublishLimiter, 'count' | 'isOff'>;
  /** The limit for a body, and for the delivered form of its data. */
  readonly maxBodyBytes: number;
  readonly instruments: PublishInstruments;
  /** Undefined when tracing is off. */
  readonly tracer: RequestTracer | undefined;
}

/** What the publisher counts and measures. */
export interface PublishInstruments {
  published(result: PublishResult, seconds: number): void;
}

export type PublishResult = 'ok' | 'replayed' | 'unavailable' | 'full' | 'error';

/** The answer to a publish whose event is in the log. */
export interface PublishAnswer {
  /** `{"channel":"…","id":"…"}`, in ASCII. */
  readonly json: string;
  /** True when an earlier publish with the same idempotency key gave the id. */
  readonly replayed: boolean;
}

/** The largest number of publishes that wait for the log at the same time. */
const MAX_IN_FLIGHT = 10_000;

/**
 * Carries out publishes (docs/protocol.md §2) for the HTTP routes and for the publish lane. Each request is an attempt with
 * these steps: {@link begin}; `admit` before the body is read; {@link read} for the body; `publish`; and `end` after the
 * answer.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #steps: PublishSteps;
  #inFlight = 0;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#steps = {
      credentials: options.credentials,
      limiter: options.limiter.isOff ? undefined : options.limiter,
      refusalOf: (access, channel) => this.refusalOf(access, channel),
      append: (publication, idempotencyKey, trace) => this.#append(publication, idempotencyKey, trace),
    };
  }

  /** @param describe describes the request for its span; called only when tracing is on */
  begin(describe: () => TracedRequest): PublishAttempt {
    return new PublishAttempt(this.#steps, this.#options.tracer?.start(describe()));
  }

  /**
   * Returns what a credential allows, when that is known at once. Undefined means neither yes nor no: `admit` decides. Does
   * not count wrong credentials.
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

  /** Returns the error for a publish to the channel with this access; undefined when the access allows it. */
  refusalOf(access: Access, channel: ChannelName): BrokerError | undefined {
    if (!matchesAny(access.publish, channel))
      return new BrokerError('forbidden', `The token does not grant publishing to ${channel}.`);
    // Revocations concern only tokens. A publish key is revoked by removing it from the settings.
    if (access.kind === 'token' && this.#options.revocations.refuses(access, channel)) return revokedToken();
    return undefined;
  }

  async #append(
    { channel, event }: Publication,
    idempotencyKey: string | undefined,
    trace: RequestTrace | undefined,
  ): Promise<PublishAnswer> {
    const { log, policies, instruments } = this.#options;
    if (this.#inFlight >= MAX_IN_FLIGHT) {
      instruments.published('unavailable', 0);
      throw new BrokerError(
        'log-unavailable',
        'Too many publishes wait for the log. Nothing was published. Try again.',
      );
    }
    const began = performance.now();
    const span = trace?.append(channel);
    let result: PublishResult = 'error';
    this.#inFlight++;
    try {
      const policy = policies.historyOf(channel);
      const [appended] = await log.append(channel, [event], { policy, idempotencyKey });
      if (appended === undefined) throw new Error('the log gave no result for an event');
      result = appended.replayed ? 'replayed' : 'ok';
      span?.appended(appended.id, appended.replayed);
      return { json: acknowledgement(channel, appended.id), replayed: appended.replayed };
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

/** The parts of a publisher that an attempt uses. */
interface PublishSteps extends Pick<PublisherOptions, 'credentials'> {
  /** Undefined when no rate is set: then nothing is made for it. */
  readonly limiter: Pick<PublishLimiter, 'count'> | undefined;
  readonly refusalOf: (access: Access, channel: ChannelName) => BrokerError | undefined;
  readonly append: (
    publication: Publication,
    idempotencyKey: string | undefined,
    trace: RequestTrace | undefined,
  ) => Promise<PublishAnswer>;
}

/** Why a request is refused; undefined for a request that is not refused. */
type Refusal = BrokerError | undefined;

/** One publish request, from its head to its answer. */
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

  /** Headers for every answer to the request. Undefined when no rate is set or the request was not counted. */
  get rateHeaders(): RateHeaders | undefined {
    return this.#rateHeaders;
  }

  /**
   * Checks the credential and counts the request against the rates. Call it before the body is read, so that the broker parses
   * no body of a client that may not publish. Returns a promise only when a token must be verified or the counter is shared.
   *
   * @param fault an error in the head; returned only for an accepted credential, and then the request is not counted
   * @throws BrokerError only by rejection, when the verification of a token fails
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

  /** Does the same for a credential whose access {@link Publisher.known} has returned: only counts the request. */
  admitKnown(access: Access, credential: string, address: string): Refusal | Promise<Refusal> {
    this.#access = access;
    const counted = this.#steps.limiter?.count({ credential, access, address });
    return counted instanceof Promise
      ? counted.then((late) => this.#keepHeaders(late))
      : this.#keepHeaders(counted);
  }

  /**
   * Rejects and does not throw. It is no async function, because one more of these is a microsecond for each publish.
   *
   * @param idempotencyKey the header as it came; several of them are an array
   * @throws BrokerError `forbidden`, `unauthorized` for a revoked token, `bad-request` for a wrong idempotency key, and as
   *   {@link EventLog.append} does
   */
  publish(
    publication: Publication,
    idempotencyKey: string | readonly string[] | undefined,
  ): Promise<PublishAnswer> {
    if (this.#access === undefined) return Promise.reject(new Error('a publish was not admitted'));
    const refusal =
      this.#steps.refusalOf(this.#access, publication.channel) ?? faultOfIdempotencyKey(idempotencyKey);
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#steps.append(publication, idempotencyKey as string | undefined, this.#trace);
  }

  /** @param status of the answer; undefined when the client did not get the whole answer */
  end(status: number | undefined): void {
    this.#trace?.end(status);
  }

  #keepHeaders(counted: CountedPublish | undefined): Refusal {
    this.#rateHeaders = counted?.headers;
    return counted?.refusal;
  }
}

function faultOfIdempotencyKey(header: string | readonly string[] | undefined): BrokerError | undefined {
  if (header === undefined || (typeof header === 'string' && IDEMPOTENCY_KEY.test(header))) return undefined;
  return new BrokerError('bad-request', 'Idempotency-Key takes 1 to 200 visible ASCII characters, once.');
}

/**
 * Makes the JSON of the answer. No channel name and no id holds a character that JSON escapes.
 * @throws Error for an invalid id: another user of Redis may have written it
 */
function acknowledgement(channel: ChannelName, id: EventId): string {
  if (parseEventId(id) === undefined)
    throw new Error(`the log returned an invalid id: ${JSON.stringify(id.slice(0, 100))}`);
  return `{"channel":"${channel}","id":"${id}"}`;
}
