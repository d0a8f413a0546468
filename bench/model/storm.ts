import { seededRandom } from '../../test/support/seeded-random.ts';

/** The step of simulated time, in ms. */
const STEP = 20;
/** In ms: without an answer for this long, the proxy in front gives up and the client reconnects. */
const GIVES_UP = 60_000;
/** In ms of simulated time: a storm that is not over by then keeps itself going. */
const ENDLESS = 600_000;
const STEPS = ENDLESS / STEP;
/** In ms: when a refused subscriber comes back (stream/connections). */
const REFUSED = [5_000, 10_000] as const;
/** The share of a core that the storm gets of a replica that is overloaded: a deep queue of events is joined into few writes. */
const LEAST_FREE = 0.05;

export interface Storm {
  /** How many subscribers have lost their connection. */
  readonly lost: number;
  /** How many replicas take them, at random. */
  readonly replicas: number;
  /** How many connections each of them has already. */
  readonly open: number;
  /** The CPU for a subscriber that comes back, and for one that is asked to come later, in µs. */
  readonly cost: number;
  readonly refusal: number;
  /** The share of a core that an open connection takes. */
  readonly load: number;
  /** SLUICE_MAX_CONNECTIONS; Infinity for no limit. */
  readonly limit: number;
  /** SLUICE_RETRY, in ms. Each subscriber waits for 0.5 to 1.5 times this. */
  readonly retry: number;
  /** Further, empty replicas, and when they are ready, in ms. */
  readonly spare?: { readonly count: number; readonly after: number };
  readonly seed: number;
}

export interface StormResult {
  /** When half, 99 of 100, and all of the subscribers are served, in s. Infinity when the storm never ends. */
  readonly half: number;
  readonly most: number;
  readonly over: number;
  /** The longest wait from arriving to the head of the answer, in s. */
  readonly longestWait: number;
  /** How often a subscriber gave up and came again, and was asked to come later. */
  readonly repeated: number;
  readonly refused: number;
  /** The most subscribers that all replicas served in a second. */
  readonly perSecond: number;
  /** How many were served. Never more than were lost. */
  readonly served: number;
}

/** A replica with its queue: how many subscribers arrived in each step. */
class Replica {
  readonly line = new Int32Array(STEPS + 1);
  head = 0;
  waiting = 0;
  credit = 0;
  open: number;

  constructor(open: number) {
    this.open = open;
  }

  arrive(step: number): void {
    this.line[step] = (this.line[step] ?? 0) + 1;
    this.waiting++;
  }

  /** Takes the subscriber that has waited longest. Returns the step in which it arrived. */
  take(): number {
    while (this.line[this.head] === 0) this.head++;
    this.line[this.head] = (this.line[this.head] ?? 1) - 1;
    this.waiting--;
    return this.head;
  }
}

/**
 * Simulates a storm step by step. Subscribers wait in the queue of a replica and are served as its CPU allows. A subscriber that
 * waits too long gives up and comes back, and the work for it is wasted.
 */
export function simulateStorm(storm: Storm): StormResult {
  return new StormRun(storm).run();
}

class StormRun {
  readonly #storm: Storm;
  readonly #random: () => number;
  readonly #replicas: Replica[];
  /** How many come in each step. */
  readonly #coming = new Int32Array(STEPS + 1);
  /** How many were served in each second. */
  readonly #served = new Int32Array(ENDLESS / 1_000 + 1);
  #total = 0;
  #repeated = 0;
  #refused = 0;
  #longest = 0;

  constructor(storm: Storm) {
    this.#storm = storm;
    this.#random = seededRandom(storm.seed);
    this.#replicas = Array.from({ length: storm.replicas }, () => new Replica(storm.open));
  }

  run(): StormResult {
    const { lost, retry, spare } = this.#storm;
    for (let i = 0; i < lost; i++) this.#come(0, retry * 0.5, retry);
    const times = { half: Infinity, most: Infinity, over: Infinity };
    for (let step = 0; step < STEPS && this.#total < lost; step++) {
      if (spare !== undefined && step === Math.ceil(spare.after / STEP))
        for (let i = 0; i < spare.count; i++) this.#replicas.push(new Replica(0));
      for (let left = this.#coming[step] ?? 0; left > 0; left--)
        this.#replicas[Math.floor(this.#random() * this.#replicas.length)]?.arrive(step);
      for (const replica of this.#replicas) this.#serve(replica, step);
      const at = ((step + 1) * STEP) / 1_000;
      if (this.#total >= lost / 2) times.half = Math.min(times.half, at);
      if (this.#total >= lost * 0.99) times.most = Math.min(times.most, at);
      if (this.#total === lost) times.over = at;
    }
    return {
      ...times,
      longestWait: this.#longest / 1_000,
      repeated: this.#repeated,
      refused: this.#refused,
      perSecond: Math.max(...this.#served),
      served: this.#total,
    };
  }

  #come(now: number, least: number, varies: number): void {
    const step = Math.min(STEPS, Math.floor((now + least + varies * this.#random()) / STEP));
    this.#coming[step] = (this.#coming[step] ?? 0) + 1;
  }

  #serve(replica: Replica, step: number): void {
    const { cost, refusal, load, limit, retry } = this.#storm;
    const free = Math.max(LEAST_FREE, 1 - load * replica.open);
    replica.credit += STEP * 1_000 * free;
    while (replica.waiting > 0) {
      const price = replica.open < limit ? cost : refusal;
      if (replica.credit < price) return;
      replica.credit -= price;
      const wait = (step - replica.take()) * STEP;
      if (wait > GIVES_UP) {
        // It has left and is on its way again; the server finds out only now.
        this.#repeated++;
        this.#come(step * STEP, retry * 0.5, retry);
      } else if (replica.open < limit) {
        replica.open++;
        this.#total++;
        this.#longest = Math.max(this.#longest, wait);
        const second = Math.floor((step * STEP) / 1_000);
        this.#served[second] = (this.#served[second] ?? 0) + 1;
      } else {
        this.#refused++;
        this.#come(step * STEP, REFUSED[0], REFUSED[1]);
      }
    }
    // An idle replica saves no time for later.
    replica.credit = 0;
  }
}
