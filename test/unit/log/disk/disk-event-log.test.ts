import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseChannelName } from '../../../../src/events/channel-name.ts';
import { ORIGIN } from '../../../../src/events/event.ts';
import { encodeRecord } from '../../../../src/events/record.ts';
import type { DiskEventLog } from '../../../../src/log/disk/disk-event-log.ts';
import type { LogHealth } from '../../../../src/log/event-log.ts';
import { appendOne } from '../../../support/append-one.ts';
import { OBSTINATE, logFolder, obstruct, openDiskLog } from '../../../support/disk-log.ts';
import { Listener } from '../../../support/listener.ts';
import { KEEP } from '../../../support/store-folder.ts';

const news = parseChannelName('news');
const MIB = 1024 * 1024;

let folder: string;
let log: DiskEventLog;
let healths: LogHealth[];
let listener: Listener;
beforeEach(async () => {
  folder = logFolder();
  healths = [];
  listener = new Listener();
  const onHealth = (health: LogHealth): void => void healths.push(health);
  log = await openDiskLog({ storage: { folder }, program: OBSTINATE, onHealth });
  log.follow(news, listener);
  await listener.following();
});
afterEach(() => log.close().catch(() => undefined));

test('while the disk hangs, publishers are told soon; later the events are announced', async () => {
  const mend = obstruct(folder, 'hang');
  const startedAt = performance.now();
  await expect(appendOne(log, news, 'one')).rejects.toMatchObject({
    code: 'log-unavailable',
    trouble: 'timeout',
    message: expect.stringContaining('may have been published') as string,
  });
  // Within a second, and on a busy machine within three.
  expect(performance.now() - startedAt).toBeLessThan(3_000);
  expect(await log.health()).toMatchObject({ up: false, reason: 'timeout' });
  await expect(appendOne(log, news, 'two')).rejects.toMatchObject({
    trouble: 'timeout',
    message: expect.stringContaining('Nothing was published') as string,
  });
  // Other channels can be read.
  expect(await log.state(parseChannelName('other'))).toMatchObject({ status: 'empty' });
  mend();
  await listener.until(() => listener.events.length === 1);
  await expect.poll(() => healths.map(({ up }) => up)).toEqual([false, true]);
  const { id } = await appendOne(log, news, 'three');
  expect(listener.events.map(({ record }) => record.toString())).toEqual(
    ['one', 'three'].map((data) => encodeRecord({ data })),
  );
  expect(listener.ids[1]).toBe(id);
});

test('when a sync fails, the event is announced after it was saved in another way', async () => {
  const mend = obstruct(folder, 'fail');
  await expect(appendOne(log, news, 'one')).rejects.toMatchObject({
    code: 'log-unavailable',
    trouble: 'disk',
    message: expect.stringContaining('may have been published') as string,
  });
  mend();
  await listener.until(() => listener.events.length === 1);
  expect(healths.map(({ up }) => up)).toEqual([false, true]);
});

test('when the thread ends, another one takes its place and listeners learn the tail', async () => {
  const { id } = await appendOne(log, news, 'one');
  const mend = obstruct(folder, 'die');
  await expect(appendOne(log, news, 'two')).rejects.toMatchObject({
    code: 'log-unavailable',
    trouble: 'disk',
  });
  mend();
  await listener.until(() => listener.resumedAt.length === 1);
  const { tail } = await log.state(news);
  expect([listener.ids, listener.interruptions, listener.resumedAt]).toEqual([[id], 1, [tail]]);
  expect((await appendOne(log, news, 'three')).replayed).toBe(false);
});

test('what waits for the disk is bounded', async () => {
  const mend = obstruct(folder, 'hang');
  const large = 'x'.repeat(MIB);
  const all = Array.from({ length: 70 }, (_, i) =>
    appendOne(log, news, large).then(
      () => `${i} done`,
      (error: unknown) => (error as Error).message,
    ),
  );
  expect(await Promise.race(all)).toMatch(/more events wait .* Nothing was published/);
  mend();
  await Promise.all(all);
  await expect.poll(async () => (await log.health()).up).toBe(true);
});

test('a revocation that the disk keeps after the answer is told late', async () => {
  const mend = obstruct(folder, 'hang');
  const { promise: late, resolve: onLate } = Promise.withResolvers<void>();
  const revocation = { key: 'one', until: Date.now() };
  await expect(log.revoke([revocation], onLate)).rejects.toThrow('may have been stored');
  mend();
  await late;
  for await (const page of log.revocations()) expect(page).toEqual([revocation]);
});

test('closing ends although the disk hangs', async () => {
  obstruct(folder, 'hang');
  const appending = expect(appendOne(log, news, 'one')).rejects.toThrow('may have been published');
  await expect(log.close()).rejects.toMatchObject({ code: 'log-unavailable' });
  await appending;
});

test('thousands of channels are followed at once', async () => {
  const listeners = Array.from({ length: 5_000 }, () => new Listener());
  const stops = listeners.map((one, i) => log.follow(parseChannelName(`c-${i}`), one));
  await Promise.all(listeners.map((one) => one.following()));
  const last = parseChannelName('c-4999');
  const { id } = await appendOne(log, last, 'x');
  for (const stop of stops) stop();
  await appendOne(log, last, 'y');
  expect(listeners.at(-1)?.ids).toEqual([id]);
});

test('when somebody removes the write-ahead log, it is made anew, and nothing is lost', async () => {
  const { id } = await appendOne(log, news, 'one');
  rmSync(join(folder, 'sluice.db-wal'));
  await listener.until(() => listener.resumedAt.length === 1);
  const next = await appendOne(log, news, 'two');
  await log.close();
  log = await openDiskLog({ storage: { folder } });
  const { events } = await log.read(news, ORIGIN, 10, KEEP);
  expect(events.map((event) => event.id)).toEqual([id, next.id]);
});

test('when somebody removes the folder, publishers are told, until there is a folder again', async () => {
  renameSync(folder, `${folder}-moved`);
  await expect
    .poll(async () => (await log.health()).detail, { timeout: 3_000 })
    .toContain('cannot be opened');
  await expect(appendOne(log, news, 'one')).rejects.toMatchObject({ code: 'log-unavailable' });
  renameSync(`${folder}-moved`, folder);
  await listener.until(() => listener.resumedAt.length === 1);
  expect((await appendOne(log, news, 'two')).replayed).toBe(false);
});
