import { AsyncLocalStorage } from 'node:async_hooks';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, defaultTextMapGetter, trace } from '@opentelemetry/api';
import type { Context, Span, Tracer } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import type { RequestTrace, RequestTracer, TracedRequest } from '../core/request-tracer.ts';

/** More than any path with a valid channel name has, every character of it encoded. */
const MAX_PATH = 700;

/**
 * A server span for each request, as OpenTelemetry's semantic conventions for HTTP want it, below that of whoever asks
 * if they say so (W3C Trace Context).
 */
export class RequestSpans implements RequestTracer {
  readonly #tracer: Tracer;
  readonly #propagator = new W3CTraceContextPropagator();
  readonly #current = new AsyncLocalStorage<Context>();

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** Below which span new ones belong, at this point of the code. */
  get current(): Context {
    return this.#current.getStore() ?? ROOT_CONTEXT;
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
      during: (next) => this.#current.run(context, next),
      end: (status) => endWith(span, status),
    };
  }
}

function endWith(span: Span, status: number | undefined): void {
  if (status === undefined) {
    span.setAttribute('error.type', 'client_disconnected');
  } else {
    span.setAttribute('http.response.status_code', status);
    // What a client did wrong is no error of the server, by the conventions.
    if (status >= 500) {
      span.setAttribute('error.type', String(status));
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
  }
  span.end();
}
