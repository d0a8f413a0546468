/** Follows publish requests from where they come from to the log. What tracing needs is known to `tracing/` alone. */
export interface RequestTracer {
  start(request: TracedRequest): RequestTrace;
}

/** What is known of a request once its head is there: nothing by which somebody could publish. */
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

export interface RequestTrace {
  /** Calls `next` at once; what the log appends because of it belongs to the trace. */
  during(next: () => void): void;
  /** @param status of the answer; undefined when the client did not get it all */
  end(status: number | undefined): void;
}
