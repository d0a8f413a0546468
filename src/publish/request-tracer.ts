import type { ChannelName } from '../events/channel-name.ts';
import type { EventId } from '../events/event.ts';

/** Makes spans of publish requests and of their appends. Only `observe/` knows how. */
export interface RequestTracer {
  start(request: TracedRequest): RequestTrace;
}

/** What the head of a request says, without anything that would let a reader of the span publish. */
export interface TracedRequest {
  readonly method: string;
  /** `http` or `https`, as far as the broker knows. */
  readonly scheme: string;
  /** The route's pattern, such as `/publish/:channel`. */
  readonly route: string;
  /** Without the query, which may hold anything. */
  readonly path: string;
  /** The header fields of W3C Trace Context, as they came. */
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
}

/** The span of a request. */
export interface RequestTrace {
  /** Starts the span of an append, below this one. */
  append(channel: ChannelName): AppendTrace;
  /** @param status of the answer; undefined when the client did not get all of it */
  end(status: number | undefined): void;
}

/** The span of an append. Call exactly one of its functions. */
export interface AppendTrace {
  appended(id: EventId, replayed: boolean): void;
  failed(error: unknown): void;
}
