/** How one system is spoken to. `{channel}` and `{data}` stand for what differs between requests. */
export interface Wire {
  readonly subscribe: { readonly path: string; readonly headers: string };
  readonly publish: { readonly path: string; readonly headers: string; readonly body: string };
  /** How the line begins after which a subscriber gets what is published; undefined where the answer's head must do. */
  readonly ready?: string;
  /** The header with which a subscriber comes back; undefined where it cannot. */
  readonly resume?: string;
}

/** Each line of headers ends in CRLF, so that they can be put one after the other. */
export function headerLines(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}

/** Channel names and data hold nothing that URLs, forms or JSON would have to escape. */
export function fill(template: string, channel: number, data: string): string {
  return template.replace('{channel}', `bench.${channel}`).replace('{data}', data);
}
