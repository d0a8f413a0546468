import type { Arrival, ToldGap } from './browser-reader.ts';
import type { SentEvent } from './persistent-publisher.ts';

/** What one reader saw. */
export interface ReaderRecord {
  readonly arrivals: readonly Arrival[];
  readonly gaps: readonly ToldGap[];
  readonly connections: number;
  readonly gaveUp: string | undefined;
}

/** The end of a fault. */
export interface FaultEnd {
  /** On the monotonic clock, in ms. */
  readonly at: number;
  /** The indexes of the readers that the fault affected. */
  readonly readers: readonly number[];
}

/** Counts over events that readers got, or should have got. They add up over publishers and readers. */
export interface DeliveryCounts {
  /** Different events that were acknowledged and arrived. */
  readonly delivered: number;
  /** Acknowledged events that did not arrive, and the server did not say so. */
  readonly missingInSilence: number;
  /** Acknowledged events that did not arrive, and lie in a gap that the server told. */
  readonly missingInGaps: number;
  readonly twice: number;
  /** Those of `twice` that the publisher had sent more than once. */
  readonly twiceSentAgain: number;
  /** Events that arrived after a later event of the same publisher. */
  readonly outOfOrder: number;
}

export interface ReaderVerdict extends DeliveryCounts {
  readonly gapsTold: number;
  readonly connections: number;
  readonly gaveUp: string | undefined;
  /**
   * For each fault, the ms from its end until the reader had the next event of each publisher and all events before it,
   * or was told what is missing; null when that never happened.
   */
  readonly heals: readonly (number | null)[];
}

/** Compares what a reader saw with what was published. `sent` has the events of each publisher, from publisher 1 on. */
export function judge(
  sent: readonly (readonly SentEvent[])[],
  record: ReaderRecord,
  faults: readonly FaultEnd[],
): ReaderVerdict {
  const lives = sent.map((events, index) => judgePublisher(events, index + 1, record));
  return {
    ...sumOfCounts(lives),
    gapsTold: record.gaps.length,
    connections: record.connections,
    gaveUp: record.gaveUp,
    heals: faults.map(({ at }) => {
      const resolved = Math.max(0, ...lives.map((one) => one.resolvedAt(at)));
      return Number.isFinite(resolved) ? Math.max(0, resolved - at) : null;
    }),
  };
}

export function sumOfCounts(all: readonly DeliveryCounts[]): DeliveryCounts {
  const sum = (count: (one: DeliveryCounts) => number): number =>
    all.reduce((total, one) => total + count(one), 0);
  return {
    delivered: sum((one) => one.delivered),
    missingInSilence: sum((one) => one.missingInSilence),
    missingInGaps: sum((one) => one.missingInGaps),
    twice: sum((one) => one.twice),
    twiceSentAgain: sum((one) => one.twiceSentAgain),
    outOfOrder: sum((one) => one.outOfOrder),
  };
}

interface PublisherVerdict extends DeliveryCounts {
  /**
   * When the first event that was acknowledged after `at`, and all events before it, had arrived or were told to be
   * missing. Infinity when one is missing in silence.
   */
  resolvedAt(at: number): number;
}

function judgePublisher(
  sent: readonly SentEvent[],
  publisher: number,
  { arrivals, gaps }: ReaderRecord,
): PublisherVerdict {
  const firstAt = new Map<number, number>();
  let highest = 0;
  let twice = 0;
  let twiceSentAgain = 0;
  let outOfOrder = 0;
  for (const one of arrivals) {
    if (one.publisher !== publisher) continue;
    if (firstAt.has(one.number)) {
      twice++;
      if ((sent[one.number - 1]?.attempts ?? 0) > 1) twiceSentAgain++;
      continue;
    }
    firstAt.set(one.number, one.at);
    if (one.number < highest) outOfOrder++;
    highest = Math.max(highest, one.number);
  }

  const told = toldTimes(publisher, sent.length, arrivals, gaps);
  let delivered = 0;
  let missingInSilence = 0;
  let missingInGaps = 0;
  let latest = 0;
  /** For each event, when it and all acknowledged events before it had arrived or were told to be missing. */
  const resolved = sent.map(({ acknowledgedAt }, index) => {
    if (acknowledgedAt === undefined) return latest;
    const arrivedAt = firstAt.get(index + 1);
    const toldAt = told.get(index + 1);
    if (arrivedAt !== undefined) delivered++;
    else if (toldAt !== undefined) missingInGaps++;
    else missingInSilence++;
    latest = Math.max(latest, arrivedAt ?? toldAt ?? Infinity);
    return latest;
  });
  return {
    delivered,
    missingInSilence,
    missingInGaps,
    twice,
    twiceSentAgain,
    outOfOrder,
    resolvedAt: (at) => {
      const next = sent.findIndex(
        ({ acknowledgedAt }) => acknowledgedAt !== undefined && acknowledgedAt > at,
      );
      return resolved.at(next) ?? 0;
    },
  };
}

/**
 * Returns when the reader was told of each missing event of a publisher. A gap covers what lies between the highest
 * number before the gap and the first number after the gap.
 */
function toldTimes(
  publisher: number,
  count: number,
  arrivals: readonly Arrival[],
  gaps: readonly ToldGap[],
): Map<number, number> {
  const told = new Map<number, number>();
  let highest = 0;
  let at = 0;
  let following = 0;
  for (const gap of gaps) {
    for (; at < gap.after; at++) {
      const one = arrivals[at];
      if (one?.publisher === publisher) highest = Math.max(highest, one.number);
    }
    following = Math.max(following, at);
    while (following < arrivals.length && arrivals[following]?.publisher !== publisher) following++;
    const next = Math.min(arrivals[following]?.number ?? Infinity, count + 1);
    for (let number = highest + 1; number < next; number++) if (!told.has(number)) told.set(number, gap.at);
    // What a later gap covers as well is known already.
    highest = Math.max(highest, next - 1);
  }
  return told;
}
