import { setTimeout as delay } from 'node:timers/promises';
import { LatencyHistogram } from '../measure/latency-histogram.ts';
import { monotonicMicros } from '../measure/monotonic-micros.ts';
import { DeliveryCheck } from './delivery-check.ts';
import { Subscriber } from './subscriber.ts';
import type { ChannelSetPlan } from '../scenario.ts';
import { JSON_MARKER_AT } from './json-data.ts';
import { fill, join, resumed } from './wire.ts';
import type { Wire } from './wire.ts';

/** How many connections use one source address for one port. A system has more ephemeral ports than this. */
const PER_ADDRESS = 20_000;
/** How often a full window is checked again. */
const POLL_INTERVAL_MS = 2;
/** Of so many compressed streams one is decoded to its end. Of the others bytes are counted. */
const DECODED_EVERY = 250;
/** A stream whose bytes are only counted has lost events when it got a smaller share of the decoded ones' bytes. */
const LEAST_SHARE = 0.7;

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
  /** Whether the data of events are JSON. */
  readonly json: boolean;
  /** Whether to ask for compressed streams. */
  readonly compress: boolean;
  /** How many may be connecting at once. */
  readonly window: number;
  /** The zero of the events' due times, in µs on the monotonic clock. */
  readonly origin: number;
  readonly keepIds: boolean;
  /** Ids of the events of the only channel. Each connection takes one as its cursor. Empty for new events only. */
  readonly positions: readonly string[];
  /** How many events each connection has missed. Undefined: each another number. */
  readonly missed: number | undefined;
  /** In ms. */
  readonly patience: number;
}

export interface Progress {
  /** Events that arrived, without repetitions. */
  readonly distinct: number;
  /** Connections that have got all events after their cursor. */
  readonly complete: number;
  /** Bytes received since the streams were ready. */
  readonly bytes: number;
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
  /** Connections whose answer is compressed, */
  readonly compressed: number;
  /** those of them whose bytes were only counted, */
  readonly counted: number;
  /** and those of these that got fewer bytes than the events take. */
  readonly short: number;
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
    const bytes = this.#subscribers.reduce((sum, one) => sum + one.bytes, 0);
    return { distinct: this.#distinct, complete: this.#complete, bytes };
  }

  report(): SubscriberReport {
    const check = this.#check;
    const orders = new Map<string, number>();
    const open = this.#subscribers.filter(({ ready, ended }) => ready && !ended);
    const counted = open.filter(({ counting }) => counting);
    const decoded = open.filter(({ compressed, counting }) => compressed && !counting);
    const least = LEAST_SHARE * Math.min(...decoded.map(({ bytes }) => bytes));
    for (const { channel, received, counting } of this.#plan.sets === undefined ? this.#subscribers : []) {
      if (counting) continue;
      const order = `${channel} ${received.distinct} ${received.fingerprint}`;
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    return {
      ...this.progress(),
      delivered: check.delivered,
      duplicates: check.duplicates,
      late: check.late,
      gaps: this.#subscribers.reduce((sum, { gaps }) => sum + gaps, 0),
      open: open.length,
      compressed: counted.length + decoded.length,
      counted: counted.length,
      short: decoded.length === 0 ? counted.length : counted.filter(({ bytes }) => bytes < least).length,
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
    const { ports, wire, channels, sets, publishers, size, keepIds, positions, json, compress, from } =
      this.#plan;
    const channel = i % channels;
    const port = ports[i % ports.length] ?? 0;
    const place = this.#placeOf(i);
    const { path, headers } =
      place === undefined
        ? {
            path:
              sets === undefined
                ? fill(wire.subscribe.path, channel, '')
                : pathOfMany(wire, channels, sets, i),
            headers: wire.subscribe.headers,
          }
        : resumed(wire, channel, positions[place] ?? '');
    const encoding = compress ? 'Accept-Encoding: gzip\r\n' : '';
    const address = Math.floor(i / ports.length / PER_ADDRESS);
    this.#connecting++;
    return new Subscriber({
      port,
      // Only Linux has all addresses of 127.0.0.0/8 without configuration.
      localAddress: address === 0 || process.platform !== 'linux' ? undefined : `127.0.0.${1 + address}`,
      request: `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: text/event-stream\r\n${headers}${encoding}\r\n`,
      readyLine: wire.ready === undefined ? undefined : Buffer.from(wire.ready),
      channel,
      publishers: publishers * (sets?.active ?? 1),
      first: place === undefined ? 0 : place + 1,
      wanted: place === undefined ? Infinity : positions.length - 1 - place,
      size,
      markerAt: json ? JSON_MARKER_AT : 0,
      countsOnly: (i - from) % DECODED_EVERY !== 0,
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

  /** The place of a connection's cursor among the positions: spread over all retained events, and the same in each run. */
  #placeOf(i: number): number | undefined {
    const { positions, missed } = this.#plan;
    if (positions.length < 2) return undefined;
    if (missed !== undefined) return Math.max(0, positions.length - 1 - missed);
    return (Math.imul(i + 1, 0x9e3779b1) >>> 0) % (positions.length - 1);
  }
}

/**
 * The path of connection `i`. The channels are in groups, and each connection has one channel of each group. So every channel
 * has the same number of subscribers, whether connections share their sets or not.
 */
function pathOfMany({ subscribeMany }: Wire, channels: number, sets: ChannelSetPlan, i: number): string {
  const group = channels / sets.active;
  const round = Math.floor(i / group);
  if (subscribeMany === undefined) throw new Error('This system has no streams with many channels.');
  const items: string[] = [];
  for (let k = 0; k < sets.perConnection; k++) {
    const member = (i + (sets.different ? k * round : 0)) % group;
    items.push(fill(subscribeMany.item, k * group + member, ''));
  }
  return join(subscribeMany, items);
}
