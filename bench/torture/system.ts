/** One node of the system under torture. A node without `kill`, `terminate` or `start` cannot be treated in that way. */
export interface SystemNode {
  readonly name: string;
  /** With `{channel}`. */
  readonly subscribeUrl: string;
  /** May have `{channel}`. */
  readonly publishUrl: string;
  /** Ends the node at once, as `kill -9` does. */
  readonly kill?: () => Promise<void>;
  /** Asks the node to end, and waits for the end. Returns false when the node did not end in time and was killed. */
  readonly terminate?: () => Promise<boolean>;
  /** Starts the node again, with the same address and data. Resolves when the node accepts connections. */
  readonly start?: () => Promise<void>;
}

/** What the code of a page has to do beside a plain EventSource. There is one for each reader. */
export interface Page {
  /** Takes an event. Returns whether the event says that events are missing. */
  onEvent(type: string, data: string): boolean;
  /** Returns the path and query of the next connection. */
  path(): string;
}

/** The requests that the system takes, and what its events mean. */
export interface SystemWire {
  readonly subscribeHeaders: Readonly<Record<string, string>>;
  /** Templates, as `publishBody`. */
  readonly publishHeaders: Readonly<Record<string, string>>;
  /**
   * A template with `{channel}`, `{data}` and `{key}`. The data and the key have only characters that need no escapes
   * in JSON, forms and URLs. A publish that is sent again has the same key.
   */
  readonly publishBody: string;
  /** `header` is Last-Event-ID, as every EventSource sends it. Another word is the name of a query parameter. */
  readonly resume: string;
  /** The event types by which the server says that events are missing. */
  readonly gapEvents: readonly string[];
  /** The event types after which a page does not come back. */
  readonly endEvents: readonly string[];
  /** Undefined when a plain EventSource is enough. */
  readonly page?: (channel: string) => Page;
}

/** A running system with its nodes. All nodes have the same paths. */
export interface System {
  readonly name: string;
  readonly nodes: readonly [SystemNode, ...SystemNode[]];
  readonly wire: SystemWire;
  /** Ends everything that was started for the torture. */
  stop(): Promise<void>;
}

/** How to get a fresh system for a scenario. */
export interface SystemSource {
  readonly name: string;
  /** What the system was told to do, in a few words. */
  readonly settings: string;
  /** What the system promises about delivery, in a few words. */
  readonly promise: string;
  /** Returns why the system cannot run here and what to do about it, or undefined when it can run. */
  missing(): string | undefined;
  start(): Promise<System>;
}

/** Fills a template. Each placeholder may occur several times. */
export function fill(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(
    /\{(channel|data|key)\}/g,
    (placeholder, name: string) => values[name] ?? placeholder,
  );
}
