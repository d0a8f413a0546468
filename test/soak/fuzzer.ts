import { connect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { readMetrics } from '../support/read-metrics.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { openStream } from '../support/sse-reader.ts';
import { fuzzCase } from './fuzz-case.ts';
import type { FuzzCase } from './fuzz-case.ts';

const AT_A_TIME = 16;
/** In ms. Longer than any answer takes. A case whose connection stays open, such as a stream, ends after this time. */
const PATIENCE = 1_000;
/**
 * The most memory that a broker with these limits may use: far more than it needs, far less than a leak would reach.
 */
const MOST_MEMORY = 400 * 1024 * 1024;

export interface FuzzReport {
  readonly cases: number;
  /** First answers by status; 0 counts cases without an answer. */
  readonly answers: ReadonlyMap<number, number>;
  readonly memory: number;
  /** The faults of the broker now; empty when it is healthy. */
  readonly faults: readonly string[];
}

/**
 * Sends fuzz cases to a broker while `goOn`, which gets the number of cases and the ms so far, returns true. Then
 * checks the broker's health. A seed gives the same cases each time, but their timing depends on the machine.
 */
export async function fuzz(
  seed: number,
  goOn: (cases: number, elapsed: number) => boolean,
): Promise<FuzzReport> {
  const broker = await startBroker({
    SLUICE_MEMORY_BYTES: '16MiB',
    SLUICE_MAX_BODY_BYTES: '64KiB',
    SLUICE_CORS_ORIGINS: 'https://allowed.example',
    SLUICE_TRUSTED_PROXIES: '127.0.0.1',
    SLUICE_FAILED_AUTH_LIMIT: '',
  });
  const began = performance.now();
  const answers = new Map<number, number>();
  let cases = 0;
  const worker = async (): Promise<void> => {
    while (goOn(cases, performance.now() - began)) {
      const random = seededRandom(seed * 1_000_003 + cases++);
      const status = await play(broker.port, fuzzCase(random, broker.key));
      answers.set(status, (answers.get(status) ?? 0) + 1);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_A_TIME }, worker));
    const { memory, faults } = await examine(broker);
    return { cases, answers, memory, faults };
  } finally {
    await broker.kill();
  }
}

/** Plays a case; returns the status of the first answer. */
async function play(port: number, { pieces, ending }: FuzzCase): Promise<number> {
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  socket.on('error', () => undefined); // 'close' follows
  let head = '';
  socket.on('data', (chunk: Buffer) => {
    if (head.length < 20) head += chunk.toString('latin1', 0, 20);
  });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  for (const piece of pieces) {
    if (socket.destroyed) break;
    socket.write(piece);
    await nextTurn();
  }
  if (ending === 'reset') {
    socket.resetAndDestroy();
  } else {
    socket.end();
    socket.setTimeout(PATIENCE, () => socket.destroy());
  }
  await closed;
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
}

async function examine(broker: Broker): Promise<{ memory: number; faults: string[] }> {
  const faults: string[] = [];
  const lives = await Promise.race([
    broker.exit.then((exit) => `it ended: ${JSON.stringify(exit)}`),
    works(broker).then(
      () => undefined,
      (error: unknown) => `it does not work: ${String(error)}`,
    ),
  ]);
  if (lives !== undefined) return { memory: 0, faults: [lives, ...broker.log().slice(-20)] };
  const metrics = await readMetrics(broker.url);
  const memory = metrics.get('process_resident_memory_bytes') ?? Infinity;
  if (memory > MOST_MEMORY) faults.push(`it takes ${Math.round(memory / 1024 ** 2)} MiB`);
  // Each answer of 500, and each caught crash, has written a line.
  faults.push(...broker.log().filter((line) => !/"level":(?:20|30|40)/.test(line)));
  return { memory, faults };
}

/**
 * Checks that the broker is alive, that a subscriber gets a published event, and that the fuzzer's streams have ended.
 */
async function works(broker: Broker): Promise<void> {
  const live = await fetch(`${broker.url}/livez`);
  if (live.status !== 200) throw new Error(`/livez says ${live.status}`);
  const stream = await openStream(`${broker.url}/events/examination`);
  await stream.until('sluice:ready');
  const id = await broker.publish('examination', 'well?');
  const event = await stream.next();
  if (event.id !== id || event.data !== 'well?') throw new Error(`an event came as ${JSON.stringify(event)}`);
  stream.close();
  const deadline = performance.now() + 10 * PATIENCE;
  while ((await readMetrics(broker.url)).get('sluice_connections') !== 0) {
    if (performance.now() > deadline) throw new Error('streams are open that nobody reads');
    await nextTurn();
  }
}
