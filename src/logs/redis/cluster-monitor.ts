import { randomBytes } from 'node:crypto';
import calculateSlot from 'cluster-key-slot';
import type { Cluster, Redis } from 'ioredis';
import { HEALTHY } from '../../core/event-log.ts';
import type { LogHealth } from '../../core/event-log.ts';
import type { ClusterFollower } from './cluster-follower.ts';
import { HealthReport, NOT_TRIED_YET, troubleFrom } from './log-monitor.ts';
import type { LogMonitor, Trouble } from './log-monitor.ts';
import { saysNothing } from './redis-trouble.ts';
import { slotLayout } from './slot-layout.ts';
import type { NodeSlots } from './slot-layout.ts';

export interface ClusterMonitorOptions {
  readonly cluster: Cluster;
  readonly follower: Pick<ClusterFollower, 'isDeafTo'>;
  /** Does what an append does (probe.lua), in the hash slot of this tag. */
  readonly probe: (tag: string) => Promise<unknown>;
  /** Why one of the nodes cannot be connected to; undefined when it can. */
  readonly whyNot: () => Promise<Error | undefined>;
  readonly onHealth: (health: LogHealth) => void;
}

const INTERVAL = 1_000;
const SLOTS = 16_384;
/** Nodes that are told of by name when they are away. */
const SHOWN = 3;
/** Tags that are tried in one look for one that is in a slot of a node, some 2 ms. */
const TRIES = 4_000;
/** How long a connection that is being made is waited for, in ms. */
const CONNECTING = 1_000;

const UNHEARD: Trouble = { reason: 'announcements', detail: 'its announcements do not arrive' };
const NO_NODE: Trouble = { reason: 'unreachable', detail: 'no node of the cluster is known' };
const UNASSIGNED: Trouble = { reason: 'CLUSTERDOWN', detail: 'no node has them' };

type Outage = Trouble & NodeSlots;

/**
 * Each master has channels of its own, and is tried out in one of its slots. The cluster is up while any of them takes
 * events: the channels of the others go on, and whoever sends readers elsewhere would find the same there.
 */
export class ClusterMonitor implements LogMonitor {
  /** A node that does not answer is one of several: the others' commands need not suffer. */
  readonly suspect = false;
  readonly #options: ClusterMonitorOptions;
  readonly #report: HealthReport;
  readonly #timer: NodeJS.Timeout;
  /** For each node a tag in one of its slots. */
  readonly #tags = new Map<string, string>();
  /** Why the last connection to each node could not be made, which is told rather than that there is none. */
  readonly #failures = new Map<string, Trouble>();
  readonly #own = randomBytes(4).toString('hex');
  #tried = 0;
  #health: LogHealth = downFor(NOT_TRIED_YET);
  #looking = false;
  #explaining = false;

  constructor(options: ClusterMonitorOptions) {
    this.#options = options;
    this.#report = new HealthReport(options.onHealth);
    // ioredis says that no node could be used, and keeps the reason to itself.
    options.cluster.on('error', () => void this.#explain());
    options.cluster.on('ready', () => void this.#look());
    options.cluster.on('node error', (error: Error, node: string) => {
      if (!saysNothing(error)) this.#failures.set(node, troubleFrom(error));
    });
    this.#timer = setInterval(() => void this.#look(), INTERVAL);
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
      this.#say(downFor({ reason, detail: `no node of the cluster can be used: ${detail}` }));
    } else if (this.#health.up) this.#say(downFor(NO_NODE));
    // The first attempt may just have begun; or what was wrong is over, and the cluster is being connected to.
    else this.#report.report(this.#health);
  }

  async #look(): Promise<void> {
    const { cluster } = this.#options;
    if (this.#looking) return;
    if (cluster.status !== 'ready') {
      void this.#explain();
      return;
    }
    this.#looking = true;
    const layout = slotLayout(cluster.slots);
    const outages = (await Promise.all(layout.map((one) => this.#outageOf(one)))).filter(
      (one) => one !== undefined,
    );
    this.#looking = false;
    for (const known of [this.#tags, this.#failures])
      for (const node of known.keys()) if (!layout.some((one) => one.node === node)) known.delete(node);
    const unassigned = SLOTS - layout.reduce((sum, { count }) => sum + count, 0);
    if (unassigned > 0) outages.push({ node: '', count: unassigned, ranges: '', ...UNASSIGNED });
    this.#say(healthWith(outages));
  }

  async #outageOf(slots: NodeSlots): Promise<Outage | undefined> {
    const { cluster, follower, probe } = this.#options;
    const { node } = slots;
    const tag = this.#tagAt(node);
    const connection = cluster
      .nodes('master')
      .find(({ options }) => `${options.host}:${options.port}` === node);
    // A connection that is being made takes no command, and is no outage before that has failed.
    if (connection !== undefined && connection.status !== 'ready') await settled(connection);
    try {
      // One that has too few slots to find a tag for in this look is tried in one of the next.
      if (tag !== undefined) await probe(tag);
      this.#failures.delete(node);
    } catch (error) {
      const trouble = troubleFrom(error as Error);
      const why = trouble.reason === 'unreachable' ? this.#failures.get(node) : undefined;
      return { ...slots, ...(why ?? trouble) };
    }
    const deaf = follower.isDeafTo(node);
    if (deaf === undefined) return undefined;
    return { ...slots, ...(deaf.why === undefined ? UNHEARD : troubleFrom(deaf.why)) };
  }

  #tagAt(node: string): string | undefined {
    const { slots } = this.#options.cluster;
    const isThere = (tag: string): boolean => slots[calculateSlot(`@probe:${tag}`)]?.[0] === node;
    const known = this.#tags.get(node);
    if (known !== undefined && isThere(known)) return known;
    this.#tags.delete(node);
    for (let i = 0; i < TRIES; i++) {
      const tag = `${this.#own}${this.#tried++ % (4 * SLOTS)}`;
      if (!isThere(tag)) continue;
      this.#tags.set(node, tag);
      return tag;
    }
    return undefined;
  }

  #say(health: LogHealth): void {
    this.#health = health;
    this.#report.report(health);
  }
}

/** Resolves when an attempt to connect has come to something, or takes long. */
async function settled(connection: Redis): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, CONNECTING);
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
