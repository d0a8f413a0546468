import { LatencyHistogram } from '../measure/latency-histogram.ts';
import { LoaderProcess } from './loader-process.ts';
import type { ProbePlan } from './probe.ts';
import type { PublishPlan, PublishReport, PublisherServices } from './publisher-process.ts';
import type { ConnectPlan, Counts, Progress, SubscriberReport } from './crowd.ts';
import type { SubscriberServices } from './subscriber-process.ts';

/** After this time without progress, missing events count as lost. */
const NO_PROGRESS_LIMIT_MS = 3_000;
/** How often the progress is read. */
const POLL_INTERVAL_MS = 50;

export type CrowdPlan = Omit<ConnectPlan, 'from' | 'count'>;

/** The sums over all subscribers. */
export interface CrowdReport extends Progress {
  readonly open: number;
  /** As in {@link SubscriberReport}. */
  readonly compressed: number;
  readonly counted: number;
  readonly short: number;
  readonly delivered: number;
  readonly duplicates: number;
  /** Events that were out of order, or in another order than for other subscribers of the channel. */
  readonly disorder: number;
  readonly gaps: number;
  readonly ends: ReadonlyMap<string, number>;
  readonly latency: LatencyHistogram;
  readonly catchUp: LatencyHistogram;
  /** On the monotonic clock, µs. */
  readonly lastAt: number;
  readonly ids: readonly string[];
}

interface SettleOptions {
  /** How long to wait without progress, in ms. */
  readonly patience?: number;
  /** What counts as progress. */
  readonly of?: keyof Progress;
}

/** The load generator: processes of subscribers, and one of publishers. */
export class Crew {
  readonly #subscribers: readonly LoaderProcess<SubscriberServices>[];
  readonly #publishers: LoaderProcess<PublisherServices>;

  constructor(processes: number) {
    const subscriber = new URL('subscriber-process.ts', import.meta.url);
    this.#subscribers = Array.from({ length: processes }, () => new LoaderProcess(subscriber));
    this.#publishers = new LoaderProcess(new URL('publisher-process.ts', import.meta.url));
  }

  /** Opens subscribers, spread over the processes. */
  async connect(count: number, plan: CrowdPlan): Promise<void> {
    const share = Math.ceil(count / this.#subscribers.length);
    await Promise.all(
      this.#subscribers.map((loader, index) => {
        const from = Math.min(count, index * share);
        return loader.ask('connect', { ...plan, from, count: Math.min(count - from, share) });
      }),
    );
  }

  async publish(plan: PublishPlan): Promise<PublishReport> {
    return await this.#publishers.ask('publish', plan);
  }

  /** Asks a server again and again, each time on a new connection, until {@link probed}. */
  async probe(plan: ProbePlan): Promise<void> {
    await this.#publishers.ask('probe', plan);
  }

  /** Ends the questions, and returns how long the answers took. */
  async probed(): Promise<LatencyHistogram> {
    const { counts, max } = await this.#publishers.ask('probed');
    return new LatencyHistogram(counts, max);
  }

  /** Waits until `enough` returns true, or until no progress is made for a while. */
  async settle(
    enough: (progress: Progress) => boolean,
    { patience = NO_PROGRESS_LIMIT_MS, of = 'distinct' }: SettleOptions = {},
  ): Promise<void> {
    let seen = -1;
    let since = performance.now();
    while (performance.now() - since < patience) {
      const each = await Promise.all(this.#subscribers.map((loader) => loader.ask('progress')));
      const progress = {
        distinct: each.reduce((sum, { distinct }) => sum + distinct, 0),
        complete: each.reduce((sum, { complete }) => sum + complete, 0),
        bytes: each.reduce((sum, { bytes }) => sum + bytes, 0),
      };
      if (enough(progress)) return;
      if (progress[of] !== seen) {
        seen = progress[of];
        since = performance.now();
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
    }
  }

  async report(): Promise<CrowdReport> {
    const each = await Promise.all(this.#subscribers.map((loader) => loader.ask('report')));
    const sum = (of: (report: SubscriberReport) => number): number =>
      each.reduce((total, report) => total + of(report), 0);
    const ends = new Map<string, number>();
    for (const report of each)
      for (const [why, count] of report.ends) ends.set(why, (ends.get(why) ?? 0) + count);
    return {
      distinct: sum(({ distinct }) => distinct),
      complete: sum(({ complete }) => complete),
      bytes: sum(({ bytes }) => bytes),
      open: sum(({ open }) => open),
      compressed: sum(({ compressed }) => compressed),
      counted: sum(({ counted }) => counted),
      short: sum(({ short }) => short),
      delivered: sum(({ delivered }) => delivered),
      duplicates: sum(({ duplicates }) => duplicates),
      disorder: sum(({ late }) => late) + otherOrders(each),
      gaps: sum(({ gaps }) => gaps),
      ends,
      latency: merged(each.map(({ latency }) => latency)),
      catchUp: merged(each.map(({ catchUp }) => catchUp)),
      lastAt: Math.max(...each.map(({ lastAt }) => lastAt)),
      ids: each[0]?.ids ?? [],
    };
  }

  /** The CPU time that each process of subscribers has used, in µs. */
  async cpu(): Promise<number[]> {
    return await Promise.all(this.#subscribers.map((loader) => loader.ask('cpu')));
  }

  async disconnect(): Promise<void> {
    await Promise.all(this.#subscribers.map((loader) => loader.ask('disconnect')));
  }

  stop(): void {
    for (const loader of [...this.#subscribers, this.#publishers]) loader.stop();
  }
}

function merged(each: readonly Counts[]): LatencyHistogram {
  const all = new LatencyHistogram();
  for (const { counts, max } of each) all.add(new LatencyHistogram(counts, max));
  return all;
}

/** Counts subscribers that have as many events of a channel as most others, but other events or another order. */
function otherOrders(each: readonly SubscriberReport[]): number {
  const byCount = new Map<string, Map<string, number>>();
  for (const { orders } of each) {
    for (const [order, subscribers] of orders) {
      const count = order.slice(0, order.lastIndexOf(' '));
      const group = byCount.get(count) ?? new Map<string, number>();
      group.set(order, (group.get(order) ?? 0) + subscribers);
      byCount.set(count, group);
    }
  }
  let others = 0;
  for (const group of byCount.values()) {
    const counts = [...group.values()];
    others += counts.reduce((sum, count) => sum + count, 0) - Math.max(...counts);
  }
  return others;
}
