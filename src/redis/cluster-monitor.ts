import { randomBytes } from 'node:crypto';
import calculateSlot from 'cluster-key-slot';
import type { Cluster, Redis } from 'ioredis';
import { HEALTHY } from '../log/event-log.ts';
import type { LogHealth } from '../log/event-log.ts';
import type { ClusterPubSub } from './cluster-pub-sub.ts';
import { HealthReport, NOT_TRIED_YET, troubleFrom } from './log-monitor.ts';
import type { LogMonitor, Trouble } from './log-monitor.ts';
import { saysNothing } from './redis-trouble.ts';

export interface ClusterMonitorOptions {
  readonly cluster: Cluster;
  readonly pubSub: Pick<ClusterPubSub, 'outageAt'>;
  /** Runs probe.lua, which calls the commands of an append, in the hash slot of the tag. */
  readonly probe: (tag: string) => Promise<unknown>;
  /** Why one of the nodes cannot be connected to; undefined when it can. */
  readonly whyNot: () => Promise<Error | undefined>;
  readonly onHealth: (health: LogHealth) => void;
}

/** Between two checks of all masters, in ms. */
const CHECK_INTERVAL_MS = 1_000;
const SLOTS = 16_384;
/** The largest number of nodes in a report, and of slot ranges for each node. */
const SHOWN = 3;
/** How many tags one check tries to find a tag in a slot of a node. Trying them takes some 2 ms. */
const TAGS_TRIED = 4_000;
/** How long a check waits for a connection that is being made, in ms. */
const CONNECTING_MS = 1_000;

const UNHEARD: Trouble = { reason: 'announcements', detail: 'its announcements do not arrive' };
const NO_NODE: Trouble = { reason: 'unreachable', detail: 'no node of the cluster is known' };
const UNASSIGNED: Trouble = { reason: 'CLUSTERDOWN', detail: 'no node has them' };

/** The hash slots that one node has. */
interface NodeSlots {
  readonly node: string;
  readonly count: number;
  /** For example `0-5460, 10923`. Names SHOWN ranges and counts the others. */
  readonly ranges: string;
}

type Outage = Trouble & NodeSlots;

/**
 * Checks which masters of a cluster accept events. Probes each master in one of its slots. The cluster is up while one master
 * accepts events: publishes to that master's channels succeed, and every replica of the broker finds the same.
 */
export class ClusterMonitor implements LogMonitor {
  /** Always false: when one node does not answer, commands to the other nodes go on. */
  readonly suspect = false;
  readonly #options: ClusterMonitorOptions;
  readonly #report: HealthReport;
  readonly #timer: NodeJS.Timeout;
  /** For each node, a tag in one of the node's slots. */
  readonly #tags = new Map<string, string>();
  /** For each node, why the last attempt to connect failed. Says more than the error of a command without a connection. */
  readonly #failures = new Map<string, Trouble>();
  readonly #own = randomBytes(4).toString('hex');
  #tried = 0;
  #health: LogHealth = downFor(NOT_TRIED_YET);
  #checking = false;
  #explaining = false;

  constructor(options: ClusterMonitorOptions) {
    this.#options = options;
    this.#report = new HealthReport(options.onHealth);
    // ioredis emits this when no node can be used, without the reason.
    options.cluster.on('error', () => void this.#explain());
    options.cluster.on('ready', () => void this.#check());
    options.cluster.on('node error', (error: Error, node: string) => {
      if (!saysNothing(error)) this.#failures.set(node, troubleFrom(error));
    });
    this.#timer = setInterval(() => void this.#check(), CHECK_INTERVAL_MS);
    this.#timer.unref();
  }

  get health(): LogHealth {
    return this.#health;
  }

  suspectNow(): void {
    this.#options.cluster.refreshSlotsCache();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #explain(): Promise<void> {
    if (this.#explaining) return;
    this.#explaining = true;
    const error = await this.#options.whyNot();
    this.#explaining = false;
    if (this.#options.cluster.status === 'ready') return;
    if (error !== undefined) {
      const { reason, detail } = troubleFrom(error);
      this.#setHealth(downFor({ reason, detail: `no node of the cluster can be used: ${detail}` }));
    } else if (this.#health.up) this.#setHealth(downFor(NO_NODE));
    // The first attempt may be under way, or the outage is over and ioredis is connecting.
    else this.#report.report(this.#health);
  }

  async #check(): Promise<void> {
    const { cluster } = this.#options;
    if (this.#checking) return;
    if (cluster.status !== 'ready') {
      void this.#explain();
      return;
    }
    this.#checking = true;
    const layout = slotLayout(cluster.slots);
    const outages = (await Promise.all(layout.map((one) => this.#outageOf(one)))).filter(
      (one) => one !== undefined,
    );
    this.#checking = false;
    for (const known of [this.#tags, this.#failures])
      for (const node of known.keys()) if (!layout.some((one) => one.node === node)) known.delete(node);
    const unassigned = SLOTS - layout.reduce((sum, { count }) => sum + count, 0);
    if (unassigned > 0) outages.push({ node: '', count: unassigned, ranges: '', ...UNASSIGNED });
    this.#setHealth(healthWith(outages));
  }

  async #outageOf(slots: NodeSlots): Promise<Outage | undefined> {
    const { cluster, pubSub, probe } = this.#options;
    const { node } = slots;
    const tag = this.#tagAt(node);
    const connection = cluster
      .nodes('master')
      .find(({ options }) => `${options.host}:${options.port}` === node);
    // A connection that is being made accepts no commands. Only a failed attempt is an outage.
    if (connection !== undefined && connection.status !== 'ready') await settled(connection);
    try {
      // A node with too few slots to find a tag in this check is tried in a later check.
      if (tag !== undefined) await probe(tag);
      this.#failures.delete(node);
    } catch (error) {
      const trouble = troubleFrom(error as Error);
      const why = trouble.reason === 'unreachable' ? this.#failures.get(node) : undefined;
      return { ...slots, ...(why ?? trouble) };
    }
    const deaf = pubSub.outageAt(node);
    if (deaf === undefined) return undefined;
    return { ...slots, ...(deaf.why === undefined ? UNHEARD : troubleFrom(deaf.why)) };
  }

  #tagAt(node: string): string | undefined {
    const { slots } = this.#options.cluster;
    const isThere = (tag: string): boolean => slots[calculateSlot(`@probe:${tag}`)]?.[0] === node;
    const known = this.#tags.get(node);
    if (known !== undefined && isThere(known)) return known;
    this.#tags.delete(node);
    for (let i = 0; i < TAGS_TRIED; i++) {
      const tag = `${this.#own}${this.#tried++ % (4 * SLOTS)}`;
      if (!isThere(tag)) continue;
      this.#tags.set(node, tag);
      return tag;
    }
    return undefined;
  }

  #setHealth(health: LogHealth): void {
    this.#health = health;
    this.#report.report(health);
  }
}

/** Resolves when an attempt to connect has ended, or after CONNECTING_MS. */
async function settled(connection: Redis): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, CONNECTING_MS);
  for (const event of ['ready', 'close', 'end']) connection.once(event, resolve);
  if (connection.status === 'wait') connection.connect().catch(() => undefined);
  await promise;
  clearTimeout(timer);
  for (const event of ['ready', 'close', 'end']) connection.off(event, resolve);
}

function downFor(trouble: Trouble): LogHealth {
  return { up: false, slotsDown: SLOTS, ...trouble };
}

function healthWith(outages: readonly Outage[]): LogHealth {
  const [first] = outages;
  if (first === undefined) return HEALTHY;
  const shown = outages
    .slice(0, SHOWN)
    .map(({ node, ranges, count, detail }) =>
      node === '' ? `${count} slots: ${detail}` : `${node} (slots ${ranges}): ${detail}`,
    );
  if (outages.length > SHOWN) shown.push(`${outages.length - SHOWN} more nodes`);
  const slotsDown = outages.reduce((sum, { count }) => sum + count, 0);
  return { up: slotsDown < SLOTS, reason: first.reason, detail: shown.join('; '), slotsDown };
}

/** Returns the slots of each master (host:port). `slots` has the form of ioredis: the nodes of each slot, master first. */
function slotLayout(slots: readonly (readonly string[] | undefined)[]): NodeSlots[] {
  const found = new Map<string, [from: number, to: number][]>();
  let last: { node: string; range: [number, number] } | undefined;
  for (const [slot, nodes] of slots.entries()) {
    const node = nodes?.[0];
    if (node === undefined) {
      last = undefined;
      continue;
    }
    if (last?.node === node) {
      last.range[1] = slot;
      continue;
    }
    last = { node, range: [slot, slot] };
    const ranges = found.get(node);
    if (ranges === undefined) found.set(node, [last.range]);
    else ranges.push(last.range);
  }
  return [...found].map(([node, ranges]) => {
    const shown = ranges.slice(0, SHOWN).map(([from, to]) => (from === to ? String(from) : `${from}-${to}`));
    if (ranges.length > SHOWN) shown.push(`${ranges.length - SHOWN} more ranges`);
    return {
      node,
      count: ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0),
      ranges: shown.join(', '),
    };
  });
}
