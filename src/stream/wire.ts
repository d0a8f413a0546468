/** How long a reader may take for the last bytes of a stream that the broker has ended, in ms. */
export const LINGER_MS = 5_000;

/** Accepts bytes. A socket satisfies this interface, so that a stream writes to it directly. */
export interface Outlet {
  /** False when the outlet wants no more bytes for now. `onDrain` is called when it does. */
  write(bytes: Buffer | string, encoding?: 'latin1'): boolean;
  /** Bytes that wait in this process. */
  readonly writableLength: number;
  /** Bytes written between `cork` and `uncork` leave together. */
  cork(): void;
  uncork(): void;
}

/** Carries one stream after its head, over a connection of its own or a stream of an HTTP/2 connection. */
export interface Wire {
  /** Whether the bytes have to be chunks of HTTP/1.1 (RFC 9112 §7.1), the last of which is empty. */
  readonly chunked: boolean;
  readonly outlet: Outlet;
  /** Calls `onDrain` each time all written bytes have left, and `onClose` once, when nothing can be written any more. */
  listen(onDrain: () => void, onClose: () => void): void;
  /** Sends the head and the first bytes, which were held back to leave together. */
  release(): void;
  /** Bytes that the reader has not taken, as exactly as possible. Any change means that the reader makes progress. */
  unsentBytes(): number;
  /** Ends the stream after the written bytes. A reader that does not take them is cut off after {@link LINGER_MS}. */
  end(): void;
  /** Ends the stream so that the reader can tell it from {@link end}: the answer is not complete. */
  breakOff(): void;
  /** Ends the stream at once, and frees the bytes that wait for a reader that takes nothing. */
  reset(): void;
  /** Ends the stream at once, as a shutdown does. */
  cut(): void;
}
