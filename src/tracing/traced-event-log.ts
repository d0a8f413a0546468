import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { Attributes, Context, Span, Tracer } from '@opentelemetry/api';
import type { ChannelName } from '../core/channel-name.ts';
import { BrokerError } from '../core/errors.ts';
import type {
  AppendOptions,
  Appended,
  EventLog,
  Following,
  LogHealth,
  LogListener,
  LogPage,
} from '../core/event-log.ts';
import type { EventId, NewEvent } from '../core/event.ts';

export interface TracedEventLogOptions {
  readonly log: EventLog;
  readonly tracer: Tracer;
  /** What the span of an append belongs to. */
  readonly parent: () => Context;
  /** The database behind the log, by its name in the semantic conventions; undefined for none. */
  readonly database: string | undefined;
}

/** A log whose appends have spans, as OpenTelemetry's semantic conventions for messaging want them. The rest is the log's own. */
export class TracedEventLog implements EventLog {
  readonly #log: EventLog;
  readonly #tracer: Tracer;
  readonly #parent: () => Context;
  readonly #attributes: Attributes;

  constructor({ log, tracer, parent, database }: TracedEventLogOptions) {
    this.#log = log;
    this.#tracer = tracer;
    this.#parent = parent;
    this.#attributes = {
      'messaging.system': 'sluice',
      'messaging.operation.name': 'append',
      'messaging.operation.type': 'send',
      ...(database !== undefined && { 'db.system.name': database }),
    };
  }

  async append(channel: ChannelName, event: NewEvent, options?: AppendOptions): Promise<Appended> {
    // The conventions keep out of a span's name what has as many values as channels have names.
    const span = this.#tracer.startSpan(
      'append',
      {
        kind: SpanKind.PRODUCER,
        attributes: { ...this.#attributes, 'messaging.destination.name': channel },
      },
      this.#parent(),
    );
    try {
      const appended = await this.#log.append(channel, event, options);
      span.setAttribute('messaging.message.id', appended.id);
      if (appended.replayed) span.setAttribute('sluice.replayed', true);
      return appended;
    } catch (error) {
      fail(span, error);
      throw error;
    } finally {
      span.end();
    }
  }

  read(channel: ChannelName, after: EventId, limit: number): Promise<LogPage> {
    return this.#log.read(channel, after, limit);
  }

  rewind(channel: ChannelName, count: number): Promise<EventId> {
    return this.#log.rewind(channel, count);
  }

  follow(channel: ChannelName, listener: LogListener): Following {
    return this.#log.follow(channel, listener);
  }

  health(): Promise<LogHealth> {
    return this.#log.health();
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

/** Of an error that nobody foresaw, the message may hold anything, so that it stays in our log. */
function fail(span: Span, error: unknown): void {
  const known = error instanceof BrokerError ? error : undefined;
  span.setAttribute('error.type', known?.code ?? 'internal');
  span.setStatus({ code: SpanStatusCode.ERROR, ...(known !== undefined && { message: known.message }) });
}
