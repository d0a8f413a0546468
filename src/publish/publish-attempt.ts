import type { Access } from '../auth/access.ts';
import { untimelyError } from '../auth/token-errors.ts';
import type { PublisherAccess } from '../auth/publisher-access.ts';
import type { SubscribedChannels } from '../replicas/subscribed-channels.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { EVERY_CHANNEL } from '../events/channel-pattern.ts';
import { BrokerError } from '../events/errors.ts';
import type { EventId, NewEvent } from '../events/event.ts';
import { deletedEvent } from '../events/record.ts';
import type { Appended, AppendOptions } from '../log/event-log.ts';
import { acknowledgementOf, isReplayed, listOf } from './publish-answer.ts';
import type { PublishAnswer } from './publish-answer.ts';
import { appendMany, firstRefusal } from './append-many.ts';
import type { ManyAppended, ManyOptions, PublishLoop } from './append-many.ts';
import { IDEMPOTENCY_KEY } from './publication.ts';
import type { Broadcast, Publication } from './publication.ts';
import type { ChannelPublications, PublicationList } from './publication-list.ts';
import type { CountedPublish, PublishLimiter, RateHeaders } from './publish-limiter.ts';
import type { AppendTrace, RequestTrace } from './request-tracer.ts';
import { Upload } from './upload.ts';
import { UploadParser } from './upload-parser.ts';
import type { UploadForm } from './upload-parser.ts';
import type { Uploads } from './uploads.ts';

type Condition = Omit<AppendOptions, 'policy'>;

/** The parts of a publisher that an attempt uses. */
export interface PublishSteps {
  readonly credentials: Pick<PublisherAccess, 'of'>;
  /** Undefined when no rate is set: then nothing is made for it. */
  readonly limiter: Pick<PublishLimiter, 'count'> | undefined;
  readonly subscribed: Pick<SubscribedChannels, 'list'>;
  readonly loop: PublishLoop;
  readonly maxBodyBytes: number;
  readonly uploads: Uploads;
  readonly refusalOf: (access: Access, channel: ChannelName) => BrokerError | undefined;
  readonly append: <T>(
    channel: ChannelName,
    events: readonly NewEvent[],
    condition: Condition,
    span: AppendTrace | undefined,
    answer: (channel: ChannelName, appended: readonly Appended[]) => T,
  ) => T | Promise<T>;
  readonly checkKeys: (
    channel: ChannelName,
    events: readonly NewEvent[],
    condition: Condition,
  ) => Promise<void>;
}

/** What the head of an upload says. */
export interface UploadHead {
  readonly channel: ChannelName;
  readonly form: UploadForm;
  /** The type of each line. */
  readonly type: string | undefined;
  /** The key of each event. */
  readonly key: string | undefined;
  /** Whether the channel ends with the upload. */
  readonly end: boolean;
  readonly ifLast: EventId | undefined;
}

/** Header fields as they came; several of one name are an array. */
type Header = string | readonly string[] | undefined;

/** Why a request is refused; undefined for a request that is not refused. */
type Refusal = BrokerError | undefined;

/** How many appends of one request have a span. */
const MAX_SPANS = 64;
/** An upload whose token had already expired when the upload began, but within the tolerance, may take this long, in ms. */
const EXPIRED_UPLOAD_MS = 5_000;

/** One publish request, from its head to its answer. */
export class PublishAttempt {
  readonly #steps: PublishSteps;
  readonly #trace: RequestTrace | undefined;
  #spans = 0;
  #access: Access | undefined;
  #credential = '';
  #address = '';
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
   * Checks the credential and counts one event against the rates. Call it before the body is read, so that the broker parses
   * no body of a client that may not publish. Returns a promise only when a token must be verified or the counter is shared.
   *
   * @param fault an error in the head; returned only for an accepted credential, and then nothing is counted
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

  /** Does the same for a credential whose access `Publisher.known` has returned: only counts the event. */
  admitKnown(access: Access, credential: string, address: string): Refusal | Promise<Refusal> {
    this.#access = access;
    if (this.#steps.limiter === undefined) return undefined;
    this.#credential = credential;
    this.#address = address;
    return this.#count(1);
  }

  /**
   * Publishes one event. Rejects and does not throw. Returns the answer without a promise when the log does not wait.
   *
   * @throws BrokerError `forbidden`, `unauthorized` for a revoked token, `bad-request` for a wrong idempotency key, and as
   *   `EventLog.append` does
   */
  publish(
    { channel, event, end, ifLast }: Publication,
    idempotencyKey: Header,
  ): PublishAnswer | Promise<PublishAnswer> {
    if (this.#access === undefined) return Promise.reject(new Error('a publish was not admitted'));
    const refusal = this.#steps.refusalOf(this.#access, channel) ?? faultOfIdempotencyKey(idempotencyKey);
    if (refusal !== undefined) return Promise.reject(refusal);
    const events = event === undefined ? [] : [event];
    const condition = { idempotencyKey: idempotencyKey as string | undefined, ifLast, end };
    return this.#steps.append(channel, events, condition, this.#span(channel), acknowledgementOf);
  }

  /** Publishes one event to several channels. @throws BrokerError as {@link publishList} does, and `too-many-channels` */
  async broadcast(broadcast: Broadcast, idempotencyKey: Header): Promise<PublishAnswer> {
    const { channels, event, deletedKey, end, ifLast } = broadcast;
    const same = event === undefined ? [] : [event];
    const of = (channel: ChannelName): ChannelPublications => {
      const events = deletedKey === undefined ? same : [deletedEvent(channel, deletedKey)];
      return { channel, events, end, ifLast };
    };
    if (channels !== '*') {
      const lists = channels.map(of);
      return await this.publishList(
        { channels: lists, items: lists.map((one) => ({ of: one, index: 0 })) },
        idempotencyKey,
      );
    }
    if (this.#access?.publish.includes(EVERY_CHANNEL) !== true)
      throw new BrokerError('forbidden', 'Publishing to every channel needs a grant of "*".');
    const { names, complete } = await this.#steps.subscribed.list();
    const { results, skipped } = await this.#appendMany(names.map(of), names.length, idempotencyKey, true);
    const published = names.length - skipped;
    return { json: `{"published":${published},"complete":${complete}}`, replayed: isReplayed(results) };
  }

  /**
   * Publishes a body of many events.
   * @throws BrokerError as {@link publish} does, with the number of events in the log (`published`) and the channel
   */
  async publishList(list: PublicationList, idempotencyKey: Header): Promise<PublishAnswer> {
    const { results } = await this.#appendMany(list.channels, list.items.length, idempotencyKey, false);
    // The answer to 10,000 events takes some ms.
    return await this.#steps.loop.inTurn(() => ({
      json: listOf(list, results),
      replayed: isReplayed(results),
    }));
  }

  /**
   * Publishes an upload. The caller gives it the bytes, and waits for its result.
   * @throws BrokerError `forbidden`, `unauthorized` for a revoked token, `bad-request` for a wrong idempotency key
   */
  upload({ channel, form, type, key, end, ifLast }: UploadHead, idempotencyKey: Header): Upload {
    const access = this.#admitted();
    const refusal = this.#steps.refusalOf(access, channel) ?? faultOfIdempotencyKey(idempotencyKey);
    if (refusal !== undefined) throw refusal;
    const { append, refusalOf, loop, uploads, maxBodyBytes } = this.#steps;
    const expires = uploadEndOf(access);
    // The admission has counted one event.
    let counted = 1;
    const upload = new Upload({
      parser: new UploadParser(form, { type, key }, maxBodyBytes),
      append: ({ events, firstPosition, ...page }) => {
        const condition = {
          idempotencyKey: idempotencyKey as string | undefined,
          firstPosition,
          ifLast: page.ifLast,
          end: page.end,
        };
        return append(channel, events, condition, this.#span(channel), (_channel, all) => all);
      },
      refusalOf: (events) => {
        if (Date.now() > expires)
          return untimelyError({ kind: 'untimely', fault: 'has expired', from: Infinity });
        const uncounted = Math.max(0, events - counted);
        counted -= events - uncounted;
        return refusalOf(access, channel) ?? (uncounted > 0 ? this.#count(uncounted) : undefined);
      },
      inTurn: (work) => loop.inTurn(work),
      end,
      ifLast,
    });
    uploads.add(upload);
    return upload;
  }

  /** @param status of the answer; undefined when the client did not get the whole answer */
  end(status: number | undefined): void {
    this.#trace?.end(status);
  }

  #admitted(): Access {
    if (this.#access === undefined) throw new Error('a publish was not admitted');
    return this.#access;
  }

  async #appendMany(
    channels: readonly ChannelPublications[],
    events: number,
    header: Header,
    skipEnded: boolean,
  ): Promise<ManyAppended> {
    const { append, checkKeys, refusalOf, loop } = this.#steps;
    const access = this.#admitted();
    const fault = faultOfIdempotencyKey(header);
    if (fault !== undefined) throw fault;
    const refusal = await firstRefusal(channels, (channel) => refusalOf(access, channel), loop);
    if (refusal !== undefined) throw refusal;
    const counted = events > 1 ? await this.#count(events - 1) : undefined;
    if (counted !== undefined) throw counted;
    const idempotencyKey = header as string | undefined;
    const options: ManyOptions = {
      append: ({ channel, events: page, ...rest }) =>
        append(channel, page, { idempotencyKey, ...rest }, this.#span(channel), (_channel, all) => all),
      check:
        idempotencyKey === undefined
          ? undefined
          : ({ channel, events: page, ...rest }) => checkKeys(channel, page, { idempotencyKey, ...rest }),
      inTurn: (work) => loop.inTurn(work),
      skipEnded,
    };
    return await loop.inTurn(() => appendMany(channels, options));
  }

  #count(events: number): Refusal | Promise<Refusal> {
    const access = this.#admitted();
    const counted = this.#steps.limiter?.count(
      { credential: this.#credential, access, address: this.#address },
      events,
    );
    return counted instanceof Promise
      ? counted.then((late) => this.#keepHeaders(late))
      : this.#keepHeaders(counted);
  }

  #keepHeaders(counted: CountedPublish | undefined): Refusal {
    this.#rateHeaders = counted?.headers;
    return counted?.refusal;
  }

  #span(channel: ChannelName): AppendTrace | undefined {
    return this.#trace === undefined || this.#spans++ >= MAX_SPANS ? undefined : this.#trace.append(channel);
  }
}

/** Until when an upload may go on, in epoch ms. */
function uploadEndOf(access: Access): number {
  if (access.kind !== 'token') return Infinity;
  const now = Date.now();
  return access.expiresAt > now ? access.expiresAt : now + EXPIRED_UPLOAD_MS;
}

function faultOfIdempotencyKey(header: Header): BrokerError | undefined {
  if (header === undefined || (typeof header === 'string' && IDEMPOTENCY_KEY.test(header))) return undefined;
  return new BrokerError('bad-request', 'Idempotency-Key takes 1 to 200 visible ASCII characters, once.');
}
