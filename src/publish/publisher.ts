import type { Access } from '../auth/access.ts';
import { revokedToken } from '../auth/token-errors.ts';
import type { PublisherAccess } from '../auth/publisher-access.ts';
import type { Revocations } from '../replicas/revocations.ts';
import type { SubscribedChannels } from '../replicas/subscribed-channels.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { matchesAny } from '../events/channel-pattern.ts';
import type { ChannelPolicies } from '../events/channel-policies.ts';
import { BrokerError } from '../events/errors.ts';
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
  /** Says which events the log keeps of each channel. */
  readonly policies: Pick<ChannelPolicies, 'historyOf'>;
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
        log.checkKeys(channel, events, { policy: policies.historyOf(channel), ...condition }),
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
  read({ channel, type, end, bytes }: PublishBody): Publication | Broadcast {
    return channel === undefined
      ? this.#scanner.readBody(bytes)
      : parseRawPublication(channel, type, bytes, this.#options.maxBodyBytes, end);
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

  /** @param answer makes the result, so that a plain publish takes one promise less */
  async #append<T>(
    channel: ChannelName,
    events: readonly NewEvent[],
    condition: Omit<AppendOptions, 'policy'>,
    span: AppendTrace | undefined,
    answer: (channel: ChannelName, appended: readonly Appended[]) => T,
  ): Promise<T> {
    const { log, policies, instruments } = this.#options;
    if (this.#inFlight >= MAX_IN_FLIGHT) {
      instruments.published('unavailable', 0, events.length, channel);
      throw new BrokerError(
        'log-unavailable',
        'Too many publishes wait for the log. Nothing was published. Try again.',
      );
    }
    const began = performance.now();
    let result: PublishResult = 'error';
    this.#inFlight++;
    try {
      const policy = policies.historyOf(channel);
      const appended = await log.append(channel, events, { policy, ...condition });
      const last = appended.at(-1);
      if (last === undefined) throw new Error('the log gave no result for an event');
      result = last.replayed ? 'replayed' : 'ok';
      span?.appended(last.id, last.replayed);
      return answer(channel, appended);
    } catch (error) {
      if (error instanceof BrokerError) result = RESULTS[error.code] ?? 'error';
      span?.failed(error);
      throw error;
    } finally {
      this.#inFlight--;
      instruments.published(result, (performance.now() - began) / 1000, events.length, channel);
    }
  }
}
