import type { ChannelState } from '../log/event-log.ts';
import { ORIGIN, compareEventIds } from '../events/event.ts';
import type { EventId } from '../events/event.ts';
import { clearsChannel } from '../events/record.ts';
import type { SharedPage } from './shared-page.ts';

/**
 * The newest event id at which the log says that the channel has ended, or is empty because it was cleared. At every
 * other position the channel is open. So a new event removes the mark by itself.
 */
export class KnownStatus {
  #state: ChannelState | undefined;

  /** Takes what the log says, unless a newer event is marked. A cleared channel may end without an event: the end then wins. */
  note(state: ChannelState): void {
    if (state.status === 'open') return;
    const order = this.#state === undefined ? 1 : compareEventIds(state.tail, this.#state.tail);
    if (order > 0 || (order === 0 && state.status === 'ended')) this.#state = state;
  }

  /** Takes what a page says of its tail. */
  notePage({ events, tail, ended }: SharedPage): void {
    const last = events.at(-1);
    if (ended) this.note({ tail, status: 'ended' });
    else if (last?.id === tail && clearsChannel(last.record)) this.note({ tail, status: 'empty' });
  }

  forget(): void {
    this.#state = undefined;
  }

  /** The status of the channel when its tail is `position`. */
  at(position: EventId): ChannelState['status'] {
    if (this.#state?.tail === position) return this.#state.status;
    return position === ORIGIN ? 'empty' : 'open';
  }

  /** Whether the log has said that the channel ended after an event that comes after `position`. */
  endsAfter(position: EventId): boolean {
    return this.#state?.status === 'ended' && compareEventIds(this.#state.tail, position) > 0;
  }
}
