import type { Buffer } from 'node:buffer';

/** Redis pub/sub, over one connection or over a connection to each node of a cluster. */
export interface PubSub {
  /**
   * Subscribes the listener to a pub/sub channel. Renews the subscription after lost connections and moved slots. Returns a
   * function that ends the subscription. The listener is not called after that.
   */
  subscribe(name: string, listener: PubSubListener): () => void;
}

/** Receives what happens to a subscription. No method is called before {@link PubSub.subscribe} has returned. */
export interface PubSubListener {
  /**
   * Whether the name gets a SUBSCRIBE of its own. Other names share a SUBSCRIBE, and Redis refuses all names of a SUBSCRIBE
   * when it refuses one of them.
   */
  readonly separate?: boolean;
  /** Redis has confirmed the subscription, so each later message arrives. Called again after each interruption. */
  onSubscribed(): void;
  /** Messages may be lost until the next {@link onSubscribed}. Called at most once after each {@link onSubscribed}. */
  onInterrupted(): void;
  /** A first message may come shortly before {@link onSubscribed}. */
  onMessage(message: Buffer): void;
  /** Redis has refused the subscription. The subscription is tried again. */
  onSubscribeRefused(error: Error): void;
}
