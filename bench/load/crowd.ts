import { setTimeout as delay } from 'node:timers/promises';
import { LatencyHistogram } from '../measure/latency-histogram.ts';
import { monotonicMicros } from '../measure/monotonic-micros.ts';
import { DeliveryCheck } from './delivery-check.ts';
import { Subscriber } from './subscriber.ts';
import type { ChannelSetPlan } from '../scenario.ts';
import { fill } from './wire.ts';
import type { Wire } from './wire.ts';

/** How many connections use one source address for one port. A system has more ephemeral ports than this. */
const PER_ADDRESS = 20_000;
/** How often a full window is checked again. */
const POLL_INTERVAL_MS = 2;

export interface ConnectPlan {
  readonly ports: readonly number[];
  readonly wire: Wire;
  /** This loader's share: connections `from` to `from + count` of all, which decides their channels and ports. */
  readonly from: number;
  readonly count: number;
  readonly channels: number;
  readonly sets: ChannelSetPlan | undefined;
  readonly publishers: number;
  readonly size: number;
  /** How many may be connecting at once. */
  readonly window: number;
  /** The zero of the events' due times, in µs on the monotonic clock. */
  readonly origin: number;
  readonly keepIds: boolean;
  /** Ids of the events of the only channel. Each connection takes one as its cursor. Empty for new events only. */
  readonly positions: readonly string[];
  /** In ms. */
  readonly patience: number;
}

export interface Progress {
  /** Events that arrived, without repetitions. */
  readonly distinct: number;
  /** Connections that have got all events after their cursor. */
  readonly complete: number;
}

/** A {@link LatencyHistogram} that can cross a process boundary. */
export interface Counts {
  readonly counts: Uint32Array<ArrayBuffer>;
  readonly max: number;
}

export interface SubscriberReport extends Progress {
  readonly delivered: number;
  readonly duplicates: number;
  readonly late: number;
  readonly gaps: number;
  readonly open: number;
  /** What ended connections, and how often. */
  readonly ends: ReadonlyMap<string, number>;
  readonly latency: Counts;
  /** Times from the start of the storm until each connection had all retained events after its cursor. */
  readonly catchUp: Counts;
  /** On the monotonic clock, µs. */
  readonly lastAt: number;
  /**
   * How many connections have received the same events in the same order, by channel, count and fingerprint. Connections with
   * many channels are not compared, because there is no order between channels.
   */
  readonly orders: ReadonlyMap<string, number>;
  readonly ids: readonly string[];
}

/** The subscribers of one loader process. */
export class Crowd {
  readonly #plan: ConnectPlan;
  readonly #check: DeliveryCheck;
  readonly #catchUp = new LatencyHistogram();
  readonly #ends = new Map<string, number>();
  readonly #subscribers: Subscriber[] = [];
  readonly #beganAt = monotonicMicros();
  #connecting = 0;
  #distinct = 0;
  #complete = 0;

  constructor(plan: ConnectPlan) {
    this.#plan = plan;
    this.#check = new DeliveryCheck(plan.origin);
  }

  /** Resolves when every connection is ready or has failed, or the time limit is over. */
  async open(): Promise<void> {
    const { from, count, window, patience } = this.#plan;
    const limit = performance.now() + patience;
    for (let i = from; i < from + count; i++) {
      while (this.#connecting >= window && performance.now() < limit) await delay(POLL_INTERVAL_MS);
      if (performance.now() >= limit) return;
      this.#subscribers.push(this.#subscribe(i));
    }
    while (this.#connecting > 0 && performance.now() < limit) await delay(POLL_INTERVAL_MS);
  }

  progress(): Progress {
    return { distinct: this.#distinct, complete: this.#complete };
  }

  report(): SubscriberReport {
    const check = this.#check;
    const orders = new Map<string, number>();
    for (const { channel, received } of this.#plan.sets === undefined ? this.#subscribers : []) {
      const order = `${channel} ${received.distinct} ${received.fingerprint}`;
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    return {
      ...this.progress(),
      delivered: check.delivered,
      duplicates: check.duplicates,
      late: check.late,
      gaps: this.#subscribers.reduce((sum, { gaps }) => sum + gaps, 0),
      open: this.#subscribers.filter(({ ready, ended }) => ready && !ended).length,
      ends: this.#ends,
      latency: { counts: check.latency.counts, max: check.latency.max },
      catchUp: { counts: this.#catchUp.counts, max: this.#catchUp.max },
      lastAt: check.lastAt,
      orders,
      ids: this.#subscribers[0]?.ids ?? [],
    };
  }

  close(): void {
    for (const subscriber of this.#subscribers) subscriber.close();
  }

  #subscribe(i: number): Subscriber {
    const { ports, wire, channels, sets, publishers, size, keepIds, positions } = this.#plan;
    const channel = i % channels;
    const port = ports[i % ports.length] ?? 0;
    // Cursors spread over all retained events, and the same in each run.
    const place =
      positions.length < 2 ? undefined : (Math.imul(i + 1, 0x9e3779b1) >>> 0) % (positions.length - 1);
    const resume = place === undefined ? '' : `${wire.resume ?? ''}: ${positions[place] ?? ''}\r\n`;
    const path =
      sets === undefined ? fill(wire.subscribe.path, channel, '') : pathOfMany(wire, channels, sets, i);
    const address = Math.floor(i / ports.length / PER_ADDRESS);
    this.#connecting++;
    return new Subscriber({
      port,
      // Only Linux has all addresses of 127.0.0.0/8 without configuration.
      localAddress: address === 0 || process.platform !== 'linux' ? undefined : `127.0.0.${1 + address}`,
      request: `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: text/event-stream\r\n${wire.subscribe.headers}${resume}\r\n`,
      readyLine: wire.ready === undefined ? undefined : Buffer.from(wire.ready),
      channel,
      publishers: publishers * (sets?.active ?? 1),
      first: place === undefined ? 0 : place + 1,
      wanted: place === undefined ? Infinity : positions.length - 1 - place,
      size,
      keepIds,
      check: this.#check,
      onReady: () => {
        this.#connecting--;
      },
      onEvent: () => {
        this.#distinct++;
      },
      onComplete: () => {
        this.#complete++;
        this.#catchUp.record(monotonicMicros() - this.#beganAt);
      },
      onEnd: (why, wasReady) => {
        if (!wasReady) this.#connecting--;
        this.#ends.set(why, (this.#ends.get(why) ?? 0) + 1);
      },
    });
  }
}

/**
 * The path of connection `i`. The channels are in groups, and each connection has one channel of each group. So every channel
 * has the same number of subscribers, whether connections share their sets or not.
 */
function pathOfMany({ subscribeMany }: Wire, channels: number, sets: ChannelSetPlan, i: number): string {
  const group = channels / sets.active;
  const round = Math.floor(i / group);
  let path = subscribeMany?.path ?? '';
  for (let k = 0; k < sets.perConnection; k++) {
    const member = (i + (sets.different ? k * round : 0)) % group;
    path += fill(subscribeMany?.channel ?? '', k * group + member, '');
  }
  return path;
}
