import type {
  Answers,
  ControlBus,
  ControlBusOptions,
  ControlCommand,
  ControlListener,
} from '../core/control-bus.ts';
import { MAX_REVOCATIONS, revocationKey, revocationOf, revocationsFull } from '../core/revocation.ts';
import type { Revocation } from '../core/revocation.ts';

/** For one process on its own: there is nobody else to tell. What it keeps is gone with it. */
export class MemoryControlBus implements ControlBus {
  readonly replica: string;
  readonly #ttl: number;
  readonly #limit: number;
  readonly #until = new Map<string, number>();
  #listener: ControlListener | undefined;

  constructor({ replica, revocationTtl, maxRevocations = MAX_REVOCATIONS }: ControlBusOptions) {
    this.replica = replica;
    this.#ttl = revocationTtl;
    this.#limit = maxRevocations;
  }

  listen(listener: ControlListener): void {
    this.#listener = listener;
    listener.onJoined();
  }

  async request(command: ControlCommand): Promise<Answers> {
    if (command.revocation !== undefined) this.#keep([command.revocation]);
    const closed = (await this.#listener?.onCommand(command)) ?? 0;
    return { answers: [{ replica: this.replica, closed }], complete: true };
  }

  async *revocations(): AsyncIterable<readonly Revocation[]> {
    this.#sweep();
    yield [...this.#until].map(([key, until]) => revocationOf(key, until));
  }

  async restore(revocations: readonly Revocation[]): Promise<void> {
    this.#keep(revocations);
  }

  #keep(revocations: readonly Revocation[]): void {
    this.#sweep();
    const added = new Set(revocations.map(revocationKey).filter((key) => !this.#until.has(key)));
    if (this.#until.size + added.size > this.#limit) throw revocationsFull(this.#limit);
    for (const revocation of revocations) {
      const key = revocationKey(revocation);
      this.#until.set(key, Math.max(revocation.until, this.#until.get(key) ?? 0));
    }
  }

  #sweep(): void {
    const oldest = Date.now() - this.#ttl;
    for (const [key, until] of this.#until) {
      if (until <= oldest) this.#until.delete(key);
    }
  }
}
