/** How long a reader of a stream that we ended may take for what is still on its way to it, in ms. */
export const LINGER = 5_000;

/** Where bytes are written. A socket is one itself, so that nothing stands between a stream and it. */
export interface Outlet {
  /** False when it wants no more for now; `onDrain` says when it does. */
  write(bytes: Buffer | string): boolean;
  /** Bytes that wait in this process. */
  readonly writableLength: number;
  /** What is written between these two leaves together. */
  cork(): void;
  uncork(): void;
}

/** What carries one stream, once its head is out: a connection of its own, or a stream of an HTTP/2 connection. */
export interface Wire {
  /** Whether what is written has to be chunks of HTTP/1.1 (RFC 9112 §7.1), and the last one to end it. */
  readonly chunked: boolean;
  readonly outlet: Outlet;
  /** Calls back each time all that was written has left, and once when nothing can be written any more. */
  listen(onDrain: () => void, onClose: () => void): void;
  /** Lets go what was written first, which waits for it to leave together. */
  release(): void;
  /** Bytes that its reader has not taken, as exactly as can be told: any change of it is progress. */
  unsentBytes(): number;
  /** Ends the stream after what was written; a reader that does not take it is cut off after {@link LINGER}. */
  end(): void;
  /** Ends it at once and frees what is held for a reader that takes nothing. */
  reset(): void;
  /** Ends it at once, as a shutdown does. */
  cut(): void;
}
