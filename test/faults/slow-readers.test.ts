import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { openIdleSocket, readUntil } from '../support/idle-socket.ts';
import { readMetrics } from '../support/read-metrics.ts';
import { openStream } from '../support/sse-reader.ts';
import { startTcpRelay } from '../support/tcp-relay.ts';

const KIB = 1024;
const LARGE = 'x'.repeat(64 * KIB);
/** Large events: more bytes than the kernel buffers for one connection. */
const MANY = 200;
/** The most bytes that wait for one reader in the process: one joined write, and the socket's high-water mark. */
const BOUND = 512 * KIB;

let broker: Broker;
const start = async (env: Readonly<Record<string, string>> = {}): Promise<void> => {
  broker = await startBroker({ SLUICE_HISTORY_SIZE: '10000', ...env });
};
const metric = async (name: string): Promise<number> => (await readMetrics(broker.url)).get(name) ?? NaN;

/** Publishes more than any kernel buffers for a reader that does not read. Returns the most bytes that waited. */
async function publishMany(count = MANY): Promise<{ ids: string[]; mostBuffered: number }> {
  const ids: string[] = [];
  let mostBuffered = 0;
  for (let i = 0; i < count; i++) {
    ids.push(await broker.publish('news', `${i} ${LARGE}`));
    if (i % 10 === 0) mostBuffered = Math.max(mostBuffered, await metric('sluice_buffered_bytes'));
  }
  return { ids, mostBuffered };
}

afterEach(async () => {
  await broker.kill();
});

describe('a reader', () => {
  beforeEach(() => start());

  test('that never reads delays nobody, keeps memory flat, and gets everything when it reads again', async () => {
    const idle = await openIdleSocket(broker.port, '/events/news?last_event_id=0-0');
    const quick = await openStream(`${broker.url}/events/news`);
    await quick.until('sluice:ready');
    const { ids, mostBuffered } = await publishMany();
    await quick.when(({ events }) => events.at(-1)?.id === ids.at(-1));
    expect(quick.events.slice(1).map(({ id }) => id)).toEqual(ids);
    expect(mostBuffered).toBeGreaterThan(0);
    expect(mostBuffered).toBeLessThan(BOUND);

    const text = await readUntil(idle, `id: ${ids.at(-1)}\n`);
    const got = [...text.matchAll(/^id: (\d+-\d+)\ndata/gm)].map(([, id]) => id);
    expect(got).toEqual(ids);
    expect(text).not.toContain('sluice:gap');
    expect(await metric('sluice_connections')).toBe(1);
    quick.close();
  });

  test('whose process is stopped is like one that never reads', async () => {
    const script = `require('http').get('${broker.url}/events/news',r=>{r.once('data',()=>process.stdout.write('open'));r.on('data',()=>{})})`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    child.kill('SIGSTOP');
    const { mostBuffered } = await publishMany();
    expect(mostBuffered).toBeGreaterThan(0);
    expect(mostBuffered).toBeLessThan(BOUND);
    child.kill('SIGKILL');
    await expect.poll(() => metric('sluice_connections')).toBe(0);
    expect(await metric('sluice_buffered_bytes')).toBe(0);
  });

  test('that half-closes its connection is disconnected', async () => {
    const idle = await openIdleSocket(broker.port, '/events/news');
    await expect.poll(() => metric('sluice_connections')).toBe(1);
    idle.resume().end();
    await once(idle, 'end');
    await expect.poll(() => metric('sluice_connections')).toBe(0);
    idle.destroy();
  });

  test('that is one of a hundred readers that do not read costs no more than its share', async () => {
    const idle = await Promise.all(
      Array.from({ length: 100 }, () => openIdleSocket(broker.port, '/events/news')),
    );
    await expect.poll(() => metric('sluice_connections')).toBe(100);
    const quick = await openStream(`${broker.url}/events/news`);
    await quick.until('sluice:ready');
    const { ids, mostBuffered } = await publishMany();
    await quick.when(({ events }) => events.at(-1)?.id === ids.at(-1));
    expect(mostBuffered).toBeLessThan(100 * BOUND);
    quick.close();
    for (const socket of idle) socket.destroy();
    await expect.poll(() => metric('sluice_connections')).toBe(0);
  });
});

describe('with SLUICE_STALL_TIMEOUT', () => {
  beforeEach(() => start({ SLUICE_STALL_TIMEOUT: '1s' }));

  test('a reader that takes nothing for that long is closed, and counted as stalled', async () => {
    const idle = await openIdleSocket(broker.port, '/events/news');
    await expect.poll(() => metric('sluice_connections')).toBe(1);
    await publishMany();
    await expect.poll(() => metric('sluice_connections_closed_total{reason="stalled"}')).toBe(1);
    expect(await metric('sluice_connections')).toBe(0);
    expect(await metric('sluice_buffered_bytes')).toBe(0);
    idle.destroy();
  });

  test('a reader whose network drops everything without a sign is closed, too', async () => {
    const relay = await startTcpRelay(broker.port);
    const stream = await openStream(`${relay.url}/events/news`);
    await stream.until('sluice:ready');
    relay.goDumb();
    await publishMany();
    await expect.poll(() => metric('sluice_connections_closed_total{reason="stalled"}')).toBe(1);
    stream.close();
    await relay.close();
  });

  test('a slow reader that goes on reading is not closed', async () => {
    const idle = await openIdleSocket(broker.port, '/events/news?last_event_id=0-0');
    // Reading takes much longer than the stall time-out. The reader is not stalled, because it takes something.
    const reading = readUntil(idle, 'data: the end\n', 25);
    const { ids } = await publishMany();
    ids.push(await broker.publish('news', 'the end'));
    const text = await reading;
    expect([...text.matchAll(/^id: (\d+-\d+)\ndata/gm)].map(([, id]) => id)).toEqual(ids);
    expect(await metric('sluice_connections_closed_total{reason="stalled"}')).toBe(0);
  });
});
