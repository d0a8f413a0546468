import { ANSWER_TIME_MS, MAX_ANSWER_BYTES, MAX_QUESTION_BYTES, boundedJson } from './control-bus.ts';
import type {
  Answerer,
  Answers,
  ControlBus,
  ControlBusOptions,
  ControlCommand,
  ControlListener,
  Json,
} from './control-bus.ts';
import { RevocationList } from './revocation-list.ts';
import { MAX_REVOCATIONS, revocationKey, revocationsFull } from './revocation.ts';
import type { Revocation } from './revocation.ts';

/** Revocations in one page. */
const PAGE_REVOCATIONS = 5_000;

export interface MemoryControlBusOptions extends ControlBusOptions {
  /** Keeps revocations beyond the end of the process. Without it they are only in memory. */
  readonly store?: RevocationStore;
}

/** Keeps the revocations of a control bus. */
export interface RevocationStore {
  /** The revocations that were kept before the start. */
  readonly kept: readonly Revocation[];
  /**
   * Resolves when the revocations are safe.
   * @param onLate called when they are safe after all, although the promise was rejected
   * @throws BrokerError `log-unavailable`, `log-full`
   */
  keep(revocations: readonly Revocation[], onLate: () => void): Promise<void>;
}

/** The control bus of a single process. It asks only this process. */
export class MemoryControlBus implements ControlBus {
  readonly replica: string;
  readonly #limit: number;
  readonly #kept: RevocationList;
  readonly #store: RevocationStore | undefined;
  readonly #answerers = new Map<string, Answerer>();
  #listener: ControlListener | undefined;

  constructor({ replica, revocationTtl, maxRevocations = MAX_REVOCATIONS, store }: MemoryControlBusOptions) {
    this.replica = replica;
    this.#limit = maxRevocations;
    this.#kept = new RevocationList({ ttl: revocationTtl });
    this.#store = store;
    for (const revocation of store?.kept ?? []) this.#kept.add(revocation);
  }

  listen(listener: ControlListener): void {
    this.#listener = listener;
    listener.onJoined();
  }

  answer(kind: string, answerer: Answerer): void {
    this.#answerers.set(kind, answerer);
  }

  async ask(kind: string, payload: Json): Promise<Answers<Json>> {
    const question = boundedJson(payload, MAX_QUESTION_BYTES);
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => resolve(undefined), ANSWER_TIME_MS);
    const outcome = await this.#outcomeOf(async () => {
      // Answerer and asker get copies, as they do from another replica.
      const answer = await this.#answerers.get(kind)?.(JSON.parse(question) as Json);
      if (answer === undefined) return undefined;
      return JSON.parse(boundedJson(answer, MAX_ANSWER_BYTES)) as Json;
    }, late);
    clearTimeout(timer);
    return outcome;
  }

  async request(command: ControlCommand): Promise<Answers<number>> {
    const { revocation } = command;
    if (revocation !== undefined) {
      this.#makeRoom([revocation]);
      // What would be in force after a restart is in force at once.
      await this.#store?.keep([revocation], () => {
        this.#kept.addNew(revocation);
        void this.#outcomeOf(async () => this.#listener?.onCommand(command));
      });
      this.#kept.addNew(revocation);
    }
    // Waits for as long as it takes: nobody else could be missing, and the count of many thousand streams stays exact.
    return this.#outcomeOf(async () => this.#listener?.onCommand(command));
  }

  async *revocations(): AsyncIterable<readonly Revocation[]> {
    this.#kept.sweep();
    let page: Revocation[] = [];
    for (const revocation of this.#kept.all()) {
      page.push(revocation);
      if (page.length < PAGE_REVOCATIONS) continue;
      yield page;
      page = [];
    }
    yield page;
  }

  async restore(revocations: readonly Revocation[]): Promise<void> {
    this.#makeRoom(revocations);
    await this.#store?.keep(revocations, () => undefined);
    for (const revocation of revocations) this.#kept.add(revocation);
  }

  /** A failure is no answer. Neither is what comes after `late`. */
  async #outcomeOf<T>(
    answerNow: () => Promise<T | undefined>,
    late?: Promise<undefined>,
  ): Promise<Answers<T>> {
    const answering = answerNow().catch(() => undefined);
    const answer = await (late === undefined ? answering : Promise.race([answering, late]));
    const { replica } = this;
    if (answer === undefined) return { answers: [], missing: 1, silent: [replica] };
    return { answers: [{ replica, answer }], missing: 0, silent: [] };
  }

  /** @throws BrokerError `revocations-full` when there is no room for all of the revocations */
  #makeRoom(revocations: readonly Revocation[]): void {
    this.#kept.sweep();
    const added = new Set(revocations.map(revocationKey).filter((key) => !this.#kept.has(key)));
    if (this.#kept.size + added.size > this.#limit) throw revocationsFull(this.#limit);
  }
}
