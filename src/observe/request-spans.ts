import { ROOT_CONTEXT, SpanKind, SpanStatusCode, defaultTextMapGetter, trace } from '@opentelemetry/api';
import type { Attributes, Context, Span, Tracer } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import type { ChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';
import type { AppendTrace, RequestTrace, RequestTracer, TracedRequest } from '../publish/request-tracer.ts';

/** In characters. A path with a valid channel name is shorter, even with every character percent-encoded. */
const MAX_PATH = 700;

/**
 * Makes a server span for each request, by OpenTelemetry's semantic conventions for HTTP. Its parent is the client's span, if
 * the request names one (W3C Trace Context). The append gets a child span of the kind producer, by the conventions for
 * messaging.
 */
export class RequestSpans implements RequestTracer {
  readonly #tracer: Tracer;
  readonly #propagator = new W3CTraceContextPropagator();
  readonly #appendAttributes: Attributes;

  /** @param database the database behind the log, by its name in the semantic conventions; undefined for none */
  constructor(tracer: Tracer, database: string | undefined) {
    this.#tracer = tracer;
    this.#appendAttributes = {
      'messaging.system': 'sluice',
      'messaging.operation.name': 'append',
      'messaging.operation.type': 'send',
      ...(database !== undefined && { 'db.system.name': database }),
    };
  }

  start({ method, scheme, route, path, traceparent, tracestate }: TracedRequest): RequestTrace {
    const remote = this.#propagator.extract(ROOT_CONTEXT, { traceparent, tracestate }, defaultTextMapGetter);
    const attributes = {
      'http.request.method': method,
      'http.route': route,
      'url.path': path.slice(0, MAX_PATH),
      'url.scheme': scheme,
    };
    const span = this.#tracer.startSpan(`${method} ${route}`, { kind: SpanKind.SERVER, attributes }, remote);
    const context = trace.setSpan(remote, span);
    return {
      append: (channel) => this.#append(channel, context),
      end: (status) => endWith(span, status),
    };
  }

  #append(channel: ChannelName, parent: Context): AppendTrace {
    const attributes = { ...this.#appendAttributes, 'messaging.destination.name': channel };
    // By the conventions, a span's name has few values, so it does not hold the channel's name.
    const span = this.#tracer.startSpan('append', { kind: SpanKind.PRODUCER, attributes }, parent);
    return {
      appended(id, replayed) {
        span.setAttribute('messaging.message.id', id);
        if (replayed) span.setAttribute('sluice.replayed', true);
        span.end();
      },
      failed(error) {
        failWith(span, error);
        span.end();
      },
    };
  }
}

function endWith(span: Span, status: number | undefined): void {
  if (status === undefined) {
    span.setAttribute('error.type', 'client_disconnected');
  } else {
    span.setAttribute('http.response.status_code', status);
    // By the conventions, a 4xx is not an error of the server.
    if (status >= 500) {
      span.setAttribute('error.type', String(status));
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
  }
  span.end();
}

/** The message of an unexpected error may hold anything, so it stays in the broker's own log. */
function failWith(span: Span, error: unknown): void {
  const known = error instanceof BrokerError ? error : undefined;
  span.setAttribute('error.type', known?.code ?? 'internal');
  span.setStatus({ code: SpanStatusCode.ERROR, ...(known !== undefined && { message: known.message }) });
}
