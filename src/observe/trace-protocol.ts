/** How spans are sent: OTLP over HTTP, in either of its encodings. */
export type TraceProtocol = 'http/protobuf' | 'http/json';
