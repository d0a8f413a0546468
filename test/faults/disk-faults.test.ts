import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dataFolder } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { DiskShim } from '../support/disk-shim.ts';
import type { NumberedPublisher } from '../support/numbered-publisher.ts';
import { openStream } from '../support/sse-reader.ts';
import { Stage } from '../support/stage.ts';

const SLOW_SYNC_MS = 200;
/** How many events are published before, and after, a fault. */
const SOME = 50;

/** Publishes one event, and measures how long the answer takes, in ms. */
async function publish(
  { url, key }: Broker,
  idempotencyKey: string,
): Promise<{ status: number; code: string; ms: number }> {
  const began = performance.now();
  const answer = await fetch(`${url}/publish/once`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'idempotency-key': idempotencyKey },
    body: idempotencyKey,
    signal: AbortSignal.timeout(10_000),
  });
  const { type = '' } = (await answer.json()) as { type?: string };
  const code = type.replace('urn:sluice:problem:', '');
  return { status: answer.status, code, ms: performance.now() - began };
}

/** The promise was kept, no reader lost anything, and no stream was ended. */
async function expectUnharmed(stage: Stage): Promise<void> {
  const verdict = await stage.finish();
  expect(verdict.breaches).toEqual([]);
  expect(verdict.gaps).toBe(0);
  expect(stage.readers.map(({ connections }) => connections)).toEqual(stage.readers.map(() => 1));
}

describe('a disk', () => {
  let stage: Stage;
  let shim: DiskShim;
  let publisher: NumberedPublisher;
  beforeAll(async () => {
    const folder = await dataFolder();
    shim = await DiskShim.over(folder.path);
    stage = await Stage.onDisk(folder, shim.env);
    await stage.addReaders(2);
    publisher = stage.publisher();
  });
  afterAll(async () => {
    shim.heal();
    await stage.close();
    await shim.remove();
  });
  const published = (count: number): Promise<void> =>
    publisher.reached(publisher.acknowledged.length + count);

  test('takes 200 ms for a sync: the event loop never waits for it', async () => {
    // Long beside what a busy machine needs for an answer. With syncs of 20 ms, an idle one has a p99 below 30 ms.
    shim.delaySyncs(SLOW_SYNC_MS);
    const publishers = Array.from({ length: 15 }, () => stage.publisher({ rate: 10_000 }));
    await Promise.all(publishers.map((one) => one.reached(1)));
    const probes: number[] = [];
    while (probes.length < 100) {
      const began = performance.now();
      await (await fetch(`${stage.broker(0).url}/livez`)).arrayBuffer();
      probes.push(performance.now() - began);
    }
    probes.sort((a, b) => a - b);
    expect(probes[Math.floor(probes.length * 0.9)]).toBeLessThan(SLOW_SYNC_MS / 2);
    await Promise.all(publishers.map((one) => one.stop()));
    shim.heal();
  });

  test('hangs: publishes fail soon, streams stay open, and everything goes on when the disk does', async () => {
    const broker = stage.broker(0);
    const stream = await openStream(`${broker.url}/events/once`);
    await stream.until('sluice:ready');
    await published(SOME);
    shim.hang();
    await shim.hanging();
    for (let i = 0; i < 3; i++) {
      const { status, code, ms } = await publish(broker, 'hanging');
      expect([status, code]).toEqual([503, 'log-unavailable']);
      // The contract says within a second. A busy machine gets half a second more.
      expect(ms).toBeLessThan(1_500);
    }
    expect((await fetch(`${broker.url}/livez`)).status).toBe(200);
    shim.heal();
    // Published once, although several requests asked for it.
    for (const key of ['hanging', 'after'])
      await expect.poll(async () => (await publish(broker, key)).status).toBe(200);
    expect([(await stream.next()).data, (await stream.next()).data]).toEqual(['hanging', 'after']);
    stream.close();
    await published(SOME);
  });

  test.each([
    { fault: 'is full', strike: () => shim.fill(), code: 'log-full' },
    { fault: 'fails every write', strike: () => shim.breakWrites(), code: 'log-unavailable' },
    { fault: 'fails every sync', strike: () => shim.breakSyncs(), code: 'log-unavailable' },
  ])('$fault: publishes fail, and go on by themselves when the disk is well', async ({ strike, code }) => {
    strike();
    await shim.failed();
    const answer = await publish(stage.broker(0), 'failing');
    expect([answer.status, answer.code]).toEqual([503, code]);
    const refused = publisher.failures.get('503') ?? 0;
    await expect.poll(() => publisher.failures.get('503') ?? 0).toBeGreaterThan(refused + 2);
    shim.heal();
    await published(SOME);
  });

  test('has done all that: no reader has missed anything, and no stream was ended', async () => {
    await expectUnharmed(stage);
  });

  test('hangs while the broker is asked to stop, and then fails: the broker ends, does not start, and has lost nothing', async () => {
    shim.hang();
    const unanswered = publish(stage.broker(0), 'unanswered').catch(() => undefined);
    await shim.hanging();
    await stage.broker(0).stop();
    await unanswered;
    shim.heal();
    shim.breakSyncs();
    await expect(stage.revive(0)).rejects.toThrow(/The log in .* cannot be opened \(.*i\/o error.*/i);
    shim.heal();
    await stage.revive(0);
    expect((await stage.checkLog()).breaches).toEqual([]);
  });
});

test('a full disk, a real one where this process may mount one: publishing goes on when there is room', async () => {
  const folder = await dataFolder();
  const run = promisify(execFile);
  const balloon = join(folder.path, 'balloon');
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder.path]).then(
    () => true,
    () => false,
  );
  const remove = async (): Promise<void> => {
    if (mounted) await run('umount', ['-l', folder.path]);
    await folder.remove();
  };
  const shim = await DiskShim.over(folder.path);
  const env = { SLUICE_DATA_BYTES: '16777216', ...(!mounted && shim.env) };
  const stage = await Stage.onDisk({ path: folder.path, remove }, env);
  try {
    await stage.addReaders(2);
    const publisher = stage.publisher({ padding: 500 });
    await publisher.reached(SOME);
    if (mounted) await expect(writeFile(balloon, Buffer.alloc(32 * 1024 * 1024))).rejects.toThrow('ENOSPC');
    else shim.fill();
    await expect.poll(async () => (await publish(stage.broker(0), 'full')).code).toBe('log-full');
    if (mounted) await rm(balloon);
    else shim.heal();
    await publisher.reached(publisher.acknowledged.length + SOME);
    await expectUnharmed(stage);
  } finally {
    await stage.close();
    await shim.remove();
  }
});
