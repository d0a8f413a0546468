import type {
  Answers,
  ControlBus,
  ControlBusOptions,
  ControlCommand,
  ControlListener,
} from '../core/control-bus.ts';
import { RevocationList } from '../core/revocation-list.ts';
import { MAX_REVOCATIONS, revocationKey, revocationsFull } from '../core/revocation.ts';
import type { Revocation } from '../core/revocation.ts';

/** Revocations that are given out in one piece. */
const PAGE = 5_000;

/** For one process on its own: there is nobody else to tell. What it keeps is gone with it. */
export class MemoryControlBus implements ControlBus {
  readonly replica: string;
  readonly #limit: number;
  readonly #kept: RevocationList;
  #listener: ControlListener | undefined;

  constructor({ replica, revocationTtl, maxRevocations = MAX_REVOCATIONS }: ControlBusOptions) {
    this.replica = replica;
    this.#limit = maxRevocations;
    this.#kept = new RevocationList({ ttl: revocationTtl });
  }

  listen(listener: ControlListener): void {
    this.#listener = listener;
    listener.onJoined();
  }

  async request(command: ControlCommand): Promise<Answers> {
    if (command.revocation !== undefined) {
      this.#makeRoom([command.revocation]);
      this.#kept.addNew(command.revocation);
    }
    const closed = (await this.#listener?.onCommand(command)) ?? 0;
    return { answers: [{ replica: this.replica, closed }], complete: true };
  }

  async *revocations(): AsyncIterable<readonly Revocation[]> {
    this.#kept.sweep();
    let page: Revocation[] = [];
    for (const revocation of this.#kept.all()) {
      page.push(revocation);
      if (page.length < PAGE) continue;
      yield page;
      page = [];
    }
    yield page;
  }

  async restore(revocations: readonly Revocation[]): Promise<void> {
    this.#makeRoom(revocations);
    for (const revocation of revocations) this.#kept.add(revocation);
  }

  /** @throws BrokerError `revocations-full` where there is not enough of it for all of them */
  #makeRoom(revocations: readonly Revocation[]): void {
    this.#kept.sweep();
    const added = new Set(revocations.map(revocationKey).filter((key) => !this.#kept.has(key)));
    if (this.#kept.size + added.size > this.#limit) throw revocationsFull(this.#limit);
  }
}
