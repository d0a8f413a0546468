/** The requests of one system. `{channel}` and `{data}` are replaced for each request. */
export interface Wire {
  readonly subscribe: { readonly path: string; readonly headers: string };
  /** A stream with many channels: the channels stand between `before` and `after`. Undefined when there is none. */
  readonly subscribeMany?: Joined;
  readonly publish: { readonly path: string; readonly headers: string; readonly body: string };
  /** The body of a request that publishes many events, with the headers of `publish`. Undefined when there is none. */
  readonly publishMany?: Joined & { readonly path: string };
  /** The start of the line after which the stream is live. Undefined when the head of the answer is the only sign. */
  readonly ready?: string;
  /**
   * How a subscriber resumes: a header with its last id, or the path of a stream with `{channel}` and `{position}`. Undefined
   * when it cannot resume.
   */
  readonly resume?: { readonly header: string } | { readonly path: string };
  /** The path of the cheapest request that the system answers. */
  readonly probe: string;
}

/** A text made of many items. */
interface Joined {
  readonly before: string;
  readonly item: string;
  readonly between: string;
  readonly after: string;
}

/** Each header line ends in CRLF, so that header texts can be joined. */
export function headerLines(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}

export function join({ before, between, after }: Joined, items: readonly string[]): string {
  return `${before}${items.join(between)}${after}`;
}

/** Channel names need no escaping in URLs, forms or JSON. Data need none unless they are JSON (see {@link fillJson}). */
export function fill(template: string, channel: number, data: string): string {
  return template.replace('{channel}', `bench.${channel}`).replace('{data}', data);
}

/** Fills in data that are a JSON value: it takes the place of a JSON string, and is escaped in a form. */
export function fillJson(template: string, channel: number, json: string): string {
  if (template.includes('"{data}"')) return fill(template.replace('"{data}"', '{data}'), channel, json);
  return fill(template, channel, template.includes('data={data}') ? encodeURIComponent(json) : json);
}

/** The request with which a subscriber of a channel comes back with its position. */
export function resumed(wire: Wire, channel: number, position: string): { path: string; headers: string } {
  const { resume, subscribe } = wire;
  const path = resume !== undefined && 'path' in resume ? resume.path : subscribe.path;
  const header = resume !== undefined && 'header' in resume ? `${resume.header}: ${position}\r\n` : '';
  return {
    path: fill(path, channel, '').replace('{position}', encodeURIComponent(position)),
    headers: subscribe.headers + header,
  };
}
