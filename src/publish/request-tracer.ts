import type { ChannelName } from '../events/channel-name.ts';
import type { EventId } from '../events/event.ts';

/** Makes spans of publish requests and of their appends. Only `observe/` knows how. */
export interface RequestTracer {
  start(request: TracedRequest): RequestTrace;
}

/** The parts of a request's head that a span has. They hold no credential. */
export interface TracedRequest {
  readonly method: string;
  /** `http` or `https`. A trusted proxy may say so in X-Forwarded-Proto. */
  readonly scheme: string;
  /** The route's pattern, such as `/publish/:channel`. */
  readonly route: string;
  /** The path without the query. A query may hold secrets. */
  readonly path: string;
  /** The header fields of W3C Trace Context, unchanged. */
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
}

/** The span of a request. */
export interface RequestTrace {
  /** Starts the span of an append as a child of this span. */
  append(channel: ChannelName): AppendTrace;
  /** @param status of the answer; undefined when the client did not get the whole answer */
  end(status: number | undefined): void;
}

/** The span of an append. Call exactly one of its functions. */
export interface AppendTrace {
  appended(id: EventId, replayed: boolean): void;
  failed(error: unknown): void;
}
