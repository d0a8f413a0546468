import { setTimeout as delay } from 'node:timers/promises';
import type { EventId } from '../../src/events/event.ts';
import type { Verdict } from './promise-checker.ts';
import { openStream } from './sse-reader.ts';
import type { Stage } from './stage.ts';
import { StateView } from './state-view.ts';

const CHANNEL = 'app.state';
const KEYS = 40;
const LAST = 'last';

interface State {
  readonly events: readonly { readonly id: EventId; readonly data: string }[];
  readonly position: EventId;
}

/** Reads the state from the log. */
async function readState(url: string): Promise<State> {
  const answer = await fetch(`${url}/channels/${CHANNEL}/state`, { signal: AbortSignal.timeout(5_000) });
  if (!answer.ok) throw new Error(`the state: ${answer.status}`);
  return (await answer.json()) as State;
}

function viewOf({ events, position }: State): StateView {
  const view = new StateView();
  for (const { id, data } of events) view.take(id, data);
  return new StateView(view.values, position);
}

/** Keeps a view of the state. Comes back at another replica each time: with its cursor, anew, or from the state as JSON. */
class StateReader {
  readonly breaches: string[] = [];
  connections = 0;
  delivered = 0;
  gaps = 0;
  view = new StateView();
  readonly #name: string;
  readonly #urls: readonly string[];
  readonly #random: () => number;
  readonly #running: Promise<void>;
  #cursor: string | undefined;
  #close: () => void = () => undefined;
  #closed = false;

  constructor(name: string, urls: readonly string[], random: () => number) {
    this.#name = name;
    this.#urls = urls;
    this.#random = random;
    this.#running = this.#run();
  }

  cut(): void {
    this.#close();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#close();
    await this.#running;
  }

  async reached(value: number): Promise<void> {
    while (this.view.values.get(LAST) !== value) await delay(20);
  }

  async #run(): Promise<void> {
    for (let turn = 0; !this.#closed; turn++) {
      const url = this.#urls[turn % this.#urls.length] as string;
      try {
        await this.#read(url);
      } catch {
        // The stream was cut, or the replica is away.
      }
      await delay(20 + this.#random() * 80);
    }
  }

  async #read(url: string): Promise<void> {
    const way = this.#random();
    if (way < 0.2) {
      this.#begin(new StateView(), undefined);
    } else if (way < 0.4) {
      const state = await readState(url);
      this.#begin(viewOf(state), state.position);
    }
    const headers: Record<string, string> =
      this.#cursor === undefined ? {} : { 'last-event-id': this.#cursor };
    const stream = await openStream(`${url}/events/${CHANNEL}?state`, { headers });
    if (stream.status !== 200) throw new Error(`the stream: ${stream.status}`);
    this.connections++;
    this.#close = () => stream.close();
    const timer = setTimeout(() => stream.close(), 300 + this.#random() * 3_000);
    try {
      for (;;) {
        const { event = 'message', id, data } = await stream.next();
        if (id !== undefined) this.#cursor = id;
        if (event === 'sluice:gap') {
          this.gaps++;
          this.view.lose();
        } else if (!event.startsWith('sluice:') || event === 'sluice:cleared' || event === 'sluice:deleted') {
          this.delivered++;
          this.view.take(id as EventId, data);
        }
      }
    } finally {
      clearTimeout(timer);
      stream.close();
      this.#note();
    }
  }

  #begin(view: StateView, cursor: string | undefined): void {
    this.#note();
    this.view = view;
    this.#cursor = cursor;
  }

  #note(): void {
    for (const id of this.view.disorder.splice(0))
      this.breaches.push(`${this.#name}: ${id} came after a later id`);
  }
}

/** A channel whose keys change and are deleted all the time, and readers of its state. In the end each has the state of the log. */
export class StateCast {
  readonly #readers: readonly StateReader[];
  readonly #stage: Stage;
  readonly #random: () => number;
  readonly #pause: number;
  #acknowledged = 0;
  #stopped = false;
  #running: Promise<void> | undefined;

  /** @param pause in ms, between two publishes */
  constructor(
    stage: Stage,
    { random, readers = 3, pause = 5 }: { random: () => number; readers?: number; pause?: number },
  ) {
    this.#stage = stage;
    this.#random = random;
    this.#pause = pause;
    this.#readers = Array.from({ length: readers }, (_, i) => {
      const from = i % stage.urls.length;
      return new StateReader(
        `state ${i + 1}`,
        [...stage.urls.slice(from), ...stage.urls.slice(0, from)],
        random,
      );
    });
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Resolves when so many more changes are acknowledged. */
  async changed(count: number): Promise<void> {
    const goal = this.#acknowledged + count;
    while (this.#acknowledged < goal) await delay(10);
  }

  cut(): void {
    for (const reader of this.#readers) reader.cut();
  }

  /** Stops publishing, and compares the view of each reader with the log. */
  async finish(): Promise<Verdict> {
    this.#stopped = true;
    await this.#running;
    // An earlier cast may have left its last value in the channel.
    const value = -Math.ceil(this.#random() * Number.MAX_SAFE_INTEGER);
    while (!(await this.#publish({ key: LAST, data: { key: LAST, value } }))) await delay(50);
    await Promise.all(this.#readers.map((reader) => reader.reached(value)));
    await this.close();
    const expected = viewOf(await readState(this.#stage.urls[0] as string)).values;
    const differing = this.#readers.filter(({ view }) => !isSame(view.values, expected));
    const sum = (of: (reader: StateReader) => number): number =>
      this.#readers.reduce((total, reader) => total + of(reader), 0);
    return {
      acknowledged: this.#acknowledged,
      delivered: sum(({ delivered }) => delivered),
      reconnects: sum(({ connections }) => Math.max(0, connections - 1)),
      gaps: sum(({ gaps }) => gaps),
      breaches: [
        ...this.#readers.flatMap(({ breaches }) => breaches),
        ...differing.map(
          ({ view }) =>
            `a reader has ${JSON.stringify([...view.values])}, and the log ${JSON.stringify([...expected])}`,
        ),
      ],
    };
  }

  async close(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    await Promise.all(this.#readers.map((reader) => reader.close()));
  }

  async #run(): Promise<void> {
    for (let value = 1; !this.#stopped; value++) {
      const key = `k${Math.floor(this.#random() * KEYS)}`;
      await this.#publish(this.#random() < 0.1 ? { key, delete: true } : { key, data: { key, value } });
      await delay(this.#pause);
    }
  }

  /** Returns false when the change may not be in the log. */
  async #publish(change: object): Promise<boolean> {
    const { urls } = this.#stage;
    const url = urls[Math.floor(this.#random() * urls.length)] as string;
    try {
      const answer = await fetch(`${url}/publish`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${this.#stage.broker(0).key}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({ channel: CHANNEL, ...change }),
        signal: AbortSignal.timeout(5_000),
      });
      await answer.arrayBuffer();
      if (answer.ok) this.#acknowledged++;
      return answer.ok;
    } catch {
      return false;
    }
  }
}

function isSame(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);
}
