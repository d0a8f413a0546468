import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { dataFolder } from '../support/broker.ts';
import { DiskShim } from '../support/disk-shim.ts';
import { openStream } from '../support/sse-reader.ts';
import { Stage } from '../support/stage.ts';

/** How many events are published before, and after, a fault. */
const SOME = 150;

let stage: Stage;
let shim: DiskShim;
afterEach(async () => {
  // A process whose sync hangs ends only when the sync does.
  shim.heal();
  await stage.close();
  await shim.remove();
});

async function openStage(env: Readonly<Record<string, string>> = {}): Promise<void> {
  const folder = await dataFolder();
  shim = await DiskShim.over(folder.path);
  stage = await Stage.onDisk(folder, { ...shim.env, ...env });
}

/** Publishes one event, and measures how long the answer takes, in ms. */
async function publish(idempotencyKey: string): Promise<{ status: number; code: string; ms: number }> {
  const { url, key } = stage.broker(0);
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

/** Resolves when a publish succeeds again. */
async function untilPublished(idempotencyKey: string): Promise<void> {
  await expect.poll(async () => (await publish(idempotencyKey)).status).toBe(200);
}

/** The promise was kept, no reader lost anything, and no stream was ended. */
async function expectUnharmed(): Promise<void> {
  const verdict = await stage.finish();
  expect(verdict.breaches).toEqual([]);
  expect(verdict.gaps).toBe(0);
  expect(stage.readers.map(({ connections }) => connections)).toEqual(stage.readers.map(() => 1));
}

test('a disk whose sync takes 20 ms: the event loop never waits for it', async () => {
  await openStage();
  shim.delaySyncs(20);
  await stage.addReaders(1);
  const publishers = Array.from({ length: 16 }, () => stage.publisher({ rate: 10_000 }));
  await Promise.all(publishers.map((publisher) => publisher.reached(1)));
  const probes: number[] = [];
  while (probes.length < 200) {
    const began = performance.now();
    await (await fetch(`${stage.broker(0).url}/livez`)).arrayBuffer();
    probes.push(performance.now() - began);
  }
  probes.sort((a, b) => a - b);
  expect(probes[Math.floor(probes.length * 0.99)]).toBeLessThan(30);
  shim.heal();
  await expectUnharmed();
});

describe('a disk', () => {
  test('hangs: publishes fail soon, streams stay open, and everything goes on when the disk does', async () => {
    await openStage();
    await stage.addReaders(2);
    const publisher = stage.publisher();
    const stream = await openStream(`${stage.broker(0).url}/events/once`);
    await stream.until('sluice:ready');
    await publisher.reached(SOME);
    shim.hang();
    await shim.hanging();
    for (let i = 0; i < 3; i++) {
      const { status, code, ms } = await publish('hanging');
      expect([status, code]).toEqual([503, 'log-unavailable']);
      // The contract says within a second. A busy machine gets half a second more.
      expect(ms).toBeLessThan(1_500);
    }
    expect((await fetch(`${stage.broker(0).url}/livez`)).status).toBe(200);
    shim.heal();
    await untilPublished('hanging');
    // Published once, although four requests asked for it.
    await untilPublished('after');
    expect([(await stream.next()).data, (await stream.next()).data]).toEqual(['hanging', 'after']);
    stream.close();
    await publisher.reached(2 * SOME);
    await expectUnharmed();
  });

  test('hangs while the broker is asked to stop: the broker ends all the same', async () => {
    await openStage();
    const publisher = stage.publisher({ retries: false });
    await publisher.reached(1);
    shim.hang();
    await shim.hanging();
    await stage.broker(0).stop();
    shim.heal();
    await stage.revive(0);
    await publisher.reached(SOME);
    expect((await stage.finish()).breaches).toEqual([]);
  });

  test.each([
    { fault: 'is full', strike: () => shim.fill(), code: 'log-full' },
    { fault: 'fails every write', strike: () => shim.breakWrites(), code: 'log-unavailable' },
    { fault: 'fails every sync', strike: () => shim.breakSyncs(), code: 'log-unavailable' },
  ])(
    '$fault: publishes fail, streams stay open, and both go on when it is well',
    async ({ strike, code }) => {
      await openStage();
      await stage.addReaders(2);
      const publisher = stage.publisher();
      await publisher.reached(SOME);
      strike();
      await shim.failed();
      const answer = await publish('failing');
      expect([answer.status, answer.code]).toEqual([503, code]);
      await expect.poll(() => publisher.failures.get('503') ?? 0).toBeGreaterThan(2);
      shim.heal();
      await publisher.reached(2 * SOME);
      await expectUnharmed();
      // What was acknowledged before, during and after the fault is in the files, too.
      await stage.broker(0).kill();
      await stage.revive(0);
      expect((await stage.checkLog()).breaches).toEqual([]);
    },
  );
});

test('a full disk, a real one where this process may mount one', async () => {
  const folder = await dataFolder();
  const run = promisify(execFile);
  const balloon = join(folder.path, 'balloon');
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder.path]).then(
    () => true,
    () => false,
  );
  shim = await DiskShim.over(folder.path);
  stage = await Stage.onDisk(
    {
      path: folder.path,
      async remove() {
        if (mounted) await run('umount', ['-l', folder.path]);
        await folder.remove();
      },
    },
    { SLUICE_DATA_BYTES: '16777216', ...(!mounted && shim.env) },
  );
  await stage.addReaders(2);
  const publisher = stage.publisher({ padding: 500 });
  await publisher.reached(SOME);
  if (mounted) await expect(writeFile(balloon, Buffer.alloc(32 * 1024 * 1024))).rejects.toThrow('ENOSPC');
  else shim.fill();
  await expect.poll(async () => (await publish('full')).code).toBe('log-full');
  if (mounted) await rm(balloon);
  else shim.heal();
  await publisher.reached(2 * SOME);
  await expectUnharmed();
});
