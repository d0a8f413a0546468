import type { ChannelName } from '../../src/events/channel-name.ts';
import { compareEventIds } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import type { DiskFailure } from '../../src/log/disk/disk-failure.ts';
import type { Replies } from '../../src/log/disk/reply-batch.ts';
import type { AppendOutcome } from '../../src/log/disk/storage.ts';
import type { ChannelState } from '../../src/log/event-log.ts';
import type { FakeStorage } from './fake-storage.ts';

/** Notes the replies in their order. Checks that nothing is told that a power cut could take back. */
export class CommitRecorder implements Replies {
  readonly outcomes = new Map<number, AppendOutcome>();
  readonly failures = new Map<number, DiskFailure>();
  readonly states = new Map<number, EventId>();
  readonly healths: (string | undefined)[] = [];
  readonly commits: number[] = [];
  /** What must never happen. */
  readonly faults: string[] = [];
  /** The last id that was told of each channel. */
  readonly told = new Map<ChannelName, EventId>();
  readonly channels = new Map<number, ChannelName>();
  readonly #storage: FakeStorage;
  readonly #isStrict: boolean;
  syncs = 0;

  constructor(storage: FakeStorage, isStrict: boolean) {
    this.#storage = storage;
    this.#isStrict = isStrict;
  }

  outcome(ticket: number, outcome: AppendOutcome): void {
    this.outcomes.set(ticket, outcome);
    const channel = this.channels.get(ticket) as ChannelName;
    // Announced in log order: each begins where the one before has ended.
    if (this.told.has(channel) && outcome.prev !== this.told.get(channel))
      this.faults.push(`${channel}: ${outcome.prev} is announced after ${this.told.get(channel)}`);
    this.told.set(channel, outcome.tail);
    this.#expectDurable(channel, outcome.tail);
  }
  failure(ticket: number, failure: DiskFailure): void {
    this.failures.set(ticket, failure);
  }
  answer(ticket: number, _kind: unknown, answer: unknown): void {
    // Nobody needs the answer of `unfollow`.
    if (answer === undefined) return;
    const { tail } = answer as ChannelState;
    this.states.set(ticket, tail);
    const channel = this.channels.get(ticket) as ChannelName;
    this.#expectDurable(channel, tail);
    // What is announced after a state comes after it, and what was announced before is in it.
    const told = this.told.get(channel);
    if (this.#isStrict && told !== undefined && tail !== told)
      this.faults.push(`${channel}: the state is ${tail} after ${told}`);
    this.told.set(channel, tail);
  }
  refused(_ticket: number, error: unknown): void {
    this.faults.push(String(error));
  }
  health(failure: DiskFailure | undefined): void {
    this.healths.push(failure?.detail);
  }
  committed(events: number): void {
    this.commits.push(events);
  }
  synced(): void {
    this.syncs++;
  }
  flush(): void {}

  #expectDurable(channel: ChannelName, tail: EventId): void {
    if (!this.#isStrict) return;
    const durable = this.#storage.durableTail(channel);
    if (compareEventIds(tail, durable) > 0)
      this.faults.push(`${channel}: ${tail} is told, and the disk has ${durable}`);
  }
}
