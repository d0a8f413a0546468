import type { Gap, SluiceError, SluiceEvent, SubscribeOptions } from '../../client/src/index.ts';
import { Conditions } from './conditions.ts';

/** Records what a subscription of the client gets, and lets a test wait for it. */
export class ClientReader {
  readonly events: SluiceEvent[] = [];
  readonly gaps: Gap[] = [];
  readonly positions: string[] = [];
  readonly errors: SluiceError[] = [];
  ends = 0;
  readonly #conditions = new Conditions();

  get texts(): string[] {
    return this.events.map(({ data }) => data);
  }

  /** Pass these to `subscribe`. */
  get options(): SubscribeOptions {
    return {
      onEvent: (event) => this.#wake(() => this.events.push(event)),
      onGap: (gap) => this.#wake(() => this.gaps.push(gap)),
      onReady: (position) => this.#wake(() => this.positions.push(position)),
      onEnd: () => this.#wake(() => this.ends++),
      onError: (error) => this.#wake(() => this.errors.push(error)),
    };
  }

  /** Resolves once the condition holds; checks it after each call. */
  until(condition: () => boolean): Promise<void> {
    return this.#conditions.until(condition);
  }

  /** Resolves once it is live, for the n-th time. */
  ready(times = 1): Promise<void> {
    return this.until(() => this.positions.length >= times);
  }

  /** Resolves once an event with this text has come. */
  heard(text: string): Promise<void> {
    return this.until(() => this.events.some(({ data }) => data === text));
  }

  #wake(record: () => void): void {
    record();
    this.#conditions.check();
  }
}
