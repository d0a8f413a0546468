import type { Acknowledged } from './numbered-publisher.ts';
import type { ResumingReader, Seen } from './resuming-reader.ts';

/** What was published to one channel, in the order of the ids. */
export interface Published {
  readonly acknowledged: readonly Acknowledged[];
  /** Every text that was sent, acknowledged or not. */
  readonly attempted: ReadonlySet<string>;
}

export interface Verdict {
  readonly acknowledged: number;
  readonly delivered: number;
  readonly reconnects: number;
  readonly gaps: number;
  /** One sentence for each breach of the promise; empty when the promise was kept. */
  readonly breaches: readonly string[];
}

/**
 * Checks the promise from what was published and what was received alone. For each reader: no event twice, none out of
 * order, none that nobody published, and no acknowledged event missing unless a gap covers it. Over all readers: one
 * text for each id.
 */
export function checkPromise(
  publishers: readonly Published[],
  readers: readonly Pick<ResumingReader, 'name' | 'seen' | 'connections'>[],
): Verdict {
  const attempted = new Set(publishers.flatMap((publisher) => [...publisher.attempted]));
  const lives = livesOf(publishers);
  const textOf = new Map<string, string>();
  const breaches: string[] = [];
  let delivered = 0;
  let gaps = 0;
  for (const { name, seen } of readers) {
    delivered += seen.filter(({ kind }) => kind === 'event').length;
    gaps += seen.filter(({ kind }) => kind === 'gap').length;
    for (const breach of [
      ...checkEvents(seen, attempted, textOf),
      ...checkOrder(seen),
      ...checkNoneMissing(seen, lives),
    ]) {
      breaches.push(`${name}: ${breach}`);
    }
  }
  const reconnects = readers.reduce((sum, { connections }) => sum + Math.max(0, connections - 1), 0);
  return {
    acknowledged: publishers.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0),
    delivered,
    reconnects,
    gaps,
    breaches,
  };
}

function checkEvents(
  seen: readonly Seen[],
  attempted: ReadonlySet<string>,
  textOf: Map<string, string>,
): string[] {
  const breaches: string[] = [];
  const texts = new Set<string>();
  for (const one of seen) {
    if (one.kind !== 'event') continue;
    if (!attempted.has(one.text)) breaches.push(`${one.id} is "${one.text}", which nobody published`);
    if (texts.has(one.text)) breaches.push(`"${one.text}" came twice, the second time as ${one.id}`);
    texts.add(one.text);
    const known = textOf.get(one.id);
    if (known !== undefined && known !== one.text)
      breaches.push(`${one.id} is "${one.text}" here and "${known}" elsewhere`);
    textOf.set(one.id, one.text);
  }
  return breaches;
}

function checkOrder(seen: readonly Seen[]): string[] {
  const breaches: string[] = [];
  let last: string | undefined;
  for (const one of seen) {
    // After a gap the log may have begun anew, so order is checked only within the events after the gap.
    if (one.kind === 'gap') last = undefined;
    if (one.kind !== 'event' && one.kind !== 'cleared') continue;
    if (last !== undefined && compare(last, one.id) >= 0) breaches.push(`${one.id} came after ${last}`);
    last = one.id;
  }
  return breaches;
}

/**
 * Checks each pair of neighbours in what a reader saw: without a gap between the two, no acknowledged event may lie
 * between them. A log that was lost and begins anew may give ids below the ids of its earlier life, so each life is
 * checked alone.
 */
function checkNoneMissing(seen: readonly Seen[], lives: readonly Life[]): string[] {
  const breaches: string[] = [];
  const got = new Set(seen.flatMap((one) => (one.kind === 'event' ? [one.id] : [])));
  let life = 0;
  let position: string | undefined;
  let gap = false;
  for (const one of seen) {
    if (one.kind === 'gap') {
      gap = true;
      continue;
    }
    if (position !== undefined && gap && compare(one.id, position) < 0) life++;
    if (position !== undefined && !gap) {
      const from = position;
      const { ids = [], textOf = new Map() } = lives[life] ?? {};
      for (const id of between(ids, from, one.id)) {
        if (!got.has(id))
          breaches.push(`"${textOf.get(id)}" (${id}) is missing between ${from} and ${one.id}`);
      }
    }
    position = one.id;
    gap = false;
  }
  return breaches;
}

/** The events that were acknowledged during one life of the log, in the order of their ids. */
interface Life {
  readonly ids: readonly string[];
  readonly textOf: ReadonlyMap<string, string>;
}

/** A publisher sends one event after the other. Where its ids decrease, the log has begun anew. */
function livesOf(publishers: readonly Published[]): Life[] {
  const lives: Map<string, string>[] = [];
  for (const { acknowledged } of publishers) {
    let life = 0;
    let last: string | undefined;
    for (const { id, text } of acknowledged) {
      if (last !== undefined && compare(id, last) < 0) life++;
      last = id;
      (lives[life] ??= new Map()).set(id, text);
    }
  }
  return lives.map((textOf) => ({ ids: [...textOf.keys()].toSorted(compare), textOf }));
}

function between(sorted: readonly string[], from: string, to: string): readonly string[] {
  const found: string[] = [];
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(sorted[middle] as string, from) > 0) high = middle;
    else low = middle + 1;
  }
  for (let i = low; i < sorted.length && compare(sorted[i] as string, to) < 0; i++)
    found.push(sorted[i] as string);
  return found;
}

/** Compares ids by their numbers. Does not use the code under test. */
function compare(a: string, b: string): number {
  const [aMs = '', aSeq = ''] = a.split('-');
  const [bMs = '', bSeq = ''] = b.split('-');
  const difference = BigInt(aMs) - BigInt(bMs) || BigInt(aSeq) - BigInt(bSeq);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}
