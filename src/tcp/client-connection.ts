/** What happens on a connection. */
export interface ConnectionListener {
  /** The client has sent bytes. The listener may keep them. */
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
  /** False when bytes wait: `onDrain` follows. The text is Latin-1. */
  write(text: string): boolean;
  pause(): void;
  resume(): void;
  /** Sends FIN behind the written bytes. The connection closes once the client has sent its own. */
  end(): void;
  /** Closes the connection at once. */
  destroy(): void;
}
