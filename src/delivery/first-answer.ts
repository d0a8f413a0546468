import { BrokerError } from '../events/errors.ts';
import type { EventRun } from '../events/event-run.ts';
import type { LogTrouble } from '../events/log-trouble.ts';
import type { Sink } from './sink.ts';

/** What a subscriber would get first. `nothing`: it is at the channel's tail. */
export type FirstAnswer =
  | { readonly kind: 'gap' }
  | { readonly kind: 'events'; readonly run: EventRun }
  | { readonly kind: 'nothing' };

/** Takes the first thing that a subscription writes, and then nothing more. */
export class FirstAnswerSink implements Sink {
  writable = true;
  readonly #first = Promise.withResolvers<FirstAnswer>();

  /** Rejects with BrokerError `log-unavailable` when the log cannot be read. */
  get answer(): Promise<FirstAnswer> {
    return this.#first.promise;
  }

  deliver(run: EventRun): void {
    this.#take({ kind: 'events', run });
  }

  gap(): void {
    this.#take({ kind: 'gap' });
  }

  ready(): void {
    this.#take({ kind: 'nothing' });
  }

  ended(): void {
    this.#take({ kind: 'nothing' });
  }

  waiting(reason: LogTrouble): void {
    this.writable = false;
    this.#first.reject(
      new BrokerError('log-unavailable', `The log cannot be read now (${reason}).`, { trouble: reason }),
    );
  }

  #take(answer: FirstAnswer): void {
    this.writable = false;
    this.#first.resolve(answer);
  }
}
