/** The requests of one system. `{channel}` and `{data}` are replaced for each request. */
export interface Wire {
  readonly subscribe: { readonly path: string; readonly headers: string };
  /** The path of a stream with many channels: the channels are added to it. */
  readonly subscribeMany?: { readonly path: string; readonly channel: string };
  readonly publish: { readonly path: string; readonly headers: string; readonly body: string };
  /** The start of the line after which the stream is live. Undefined when the head of the answer is the only sign. */
  readonly ready?: string;
  /** The header with which a subscriber resumes. Undefined when it cannot resume. */
  readonly resume?: string;
}

/** Each header line ends in CRLF, so that header texts can be joined. */
export function headerLines(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}

/** Channel names and data need no escaping in URLs, forms or JSON. */
export function fill(template: string, channel: number, data: string): string {
  return template.replace('{channel}', `bench.${channel}`).replace('{data}', data);
}
