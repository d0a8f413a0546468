import { parseChannelName } from '../../src/events/channel-name.ts';
import { MemoryEventLog } from '../../src/log/embedded/memory-event-log.ts';

/**
 * A process that publishes one kind of load to an embedded log, and prints the resident memory that the log took. The
 * same load first goes to a log that keeps almost nothing: the memory used then belongs to the process itself.
 */

const MIB = 1024 * 1024;
const BOUND = 64 * MIB;
const SMALL_BOUND = 2 * MIB;
/** How many events are published in one turn of the event loop, as a broker does between its reads. */
const TURN = 100;

interface Event {
  readonly channel: string;
  readonly data: string;
  /** An idempotency key. */
  readonly key?: string;
  /** The event's own key. */
  readonly ofKey?: string;
}

interface Load {
  readonly count: number;
  readonly event: (index: number) => Event;
}

/** Copies the text once into one flat string, so that the garbage of the load itself is not measured. */
function flat(data: string): string {
  return Buffer.from(data).toString();
}

const TINY = flat('x');
const SMALL = flat('s'.repeat(64));
const LONGER = flat('k'.repeat(1_000));
const MIDDLE = flat('h'.repeat(3_000));
const LARGE = flat('l'.repeat(MIB));
const FOREIGN = flat('жук и ☃ 𝄞 '.repeat(60));
const SIZES = [1, 64, 300, 1_000, 3_000, 20_000, 70_000];
const TEXTS = SIZES.map((size) => flat('x'.repeat(size)));

const LOADS: Readonly<Record<string, Load>> = {
  // Many large events that are removed soon, and between them a few small ones that stay.
  mixture: {
    count: 23 * 6_000,
    event: (i) =>
      i % 23 === 0 ? { channel: `slow-${i % 50}`, data: SMALL } : { channel: 'hot', data: MIDDLE },
  },
  tiny: { count: 1_200_000, event: () => ({ channel: 'one', data: TINY }) },
  channels: { count: 500_000, event: (i) => ({ channel: `channel-of-a-job-${i}`, data: TINY }) },
  middle: { count: 140_000, event: () => ({ channel: 'one', data: MIDDLE }) },
  large: { count: 400, event: () => ({ channel: 'one', data: LARGE }) },
  keys: {
    count: 600_000,
    event: (i) => ({ channel: 'one', data: TINY, key: `a-key-as-long-as-a-uuid-is-${i}` }),
  },
  states: {
    count: 70_000,
    event: (i) => ({
      channel: `channel-${i % 5_000}`,
      data: LONGER,
      ofKey: `a-key-as-long-as-a-uuid-is-${i}`,
    }),
  },
  text: { count: 300_000, event: (i) => ({ channel: `t${i % 7}`, data: FOREIGN }) },
  churn: {
    count: 120_000,
    event: (i) => {
      const random = Math.imul(i, 0x9e3779b1) >>> 16;
      return { channel: `c${random % 3_000}`, data: TEXTS[random % TEXTS.length] as string };
    },
  },
};

async function publish(maxBytes: number, { count, event }: Load): Promise<{ held: number; peak: number }> {
  const log = new MemoryEventLog({
    idempotencyTtl: 3_600_000,
    maxBytes,
  });
  const policy = { size: process.argv[2] === 'mixture' ? 1_000 : 10_000_000, ttl: 3_600_000 };
  let peak = 0;
  for (let i = 0; i < count; i++) {
    const { channel, data, key, ofKey } = event(i);
    await log.append(parseChannelName(channel), [{ data, key: ofKey }], { policy, idempotencyKey: key });
    if (i % TURN !== 0) continue;
    await new Promise(setImmediate);
    peak = Math.max(peak, process.memoryUsage.rss());
  }
  const held = log.bytes;
  await log.close();
  return { held, peak };
}

const load = LOADS[process.argv[2] ?? ''];
if (load === undefined) {
  console.log(JSON.stringify(Object.keys(LOADS)));
} else {
  // The same amount of load: the heap grows with everything that passes through it, up to its own limit.
  const own = await publish(SMALL_BOUND, load);
  const full = await publish(BOUND, load);
  console.log(JSON.stringify({ bound: BOUND, own: own.peak, resident: full.peak, held: full.held }));
}
