import type { PubSubListener } from '../../src/redis/pub-sub.ts';

/** Records the calls of pub/sub, in order. */
export class NotingSubscriber implements PubSubListener {
  readonly separate: boolean;
  readonly notes: string[] = [];

  constructor({ separate = false } = {}) {
    this.separate = separate;
  }

  onSubscribed(): void {
    this.notes.push('subscribed');
  }

  onInterrupted(): void {
    this.notes.push('interrupted');
  }

  onMessage(message: Buffer): void {
    this.notes.push(message.toString());
  }

  onSubscribeRefused(): void {
    this.notes.push('refused');
  }
}
