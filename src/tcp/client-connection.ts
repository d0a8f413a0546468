/** What happens on a connection. */
export interface ConnectionListener {
  /** The client has sent bytes. They are valid during the call: the listener copies what it keeps. */
  onData(bytes: Buffer): void;
  /** The client sends no more (FIN). */
  onEnd(): void;
  /** All written bytes have left, after a write that returned false. */
  onDrain(): void;
  /** Nothing can be read or written any more. Called once. */
  onClose(): void;
}

/** Listens to a connection that nobody listens to yet. */
export const NOBODY: ConnectionListener = Object.freeze({
  onData() {},
  onEnd() {},
  onDrain() {},
  onClose() {},
});

/** One accepted connection, before its bytes are a request. */
export interface ClientConnection {
  /** Undefined when the connection is closed. */
  readonly remoteAddress: string | undefined;
  /** False after `end` and `destroy`, and when the connection is lost. */
  readonly writable: boolean;
  readonly destroyed: boolean;
  listener: ConnectionListener;
  /**
   * False when bytes wait: `onDrain` follows. The text is UTF-8 unless it is said to be Latin-1, which is faster and the same for
   * a text in ASCII.
   */
  write(text: string, encoding?: 'latin1'): boolean;
  pause(): void;
  resume(): void;
  /** Sends FIN behind the written bytes. The connection closes once the client has sent its own. */
  end(): void;
  /** Closes the connection at once. */
  destroy(): void;
}
