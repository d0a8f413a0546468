import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dataFolder, startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { NumberedPublisher } from '../support/numbered-publisher.ts';

const run = promisify(execFile);
const CHANNELS = ['one', 'two'];
const SETTINGS = { SLUICE_HISTORY_SIZE: '1000000' };

/** The script for `node -e` in docs/operations.md, which copies /data/sluice.db to /data/backup.db. */
const [, script = ''] =
  /node -e \\\n +'(.*)'\n/.exec(
    readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8'),
  ) ?? [];

let folder: Awaited<ReturnType<typeof dataFolder>>;
let restored: typeof folder;
const brokers: Broker[] = [];
beforeAll(async () => {
  [folder, restored] = [await dataFolder(), await dataFolder()];
});
afterAll(async () => {
  for (const broker of brokers) await broker.kill();
  await Promise.all([folder.remove(), restored.remove()]);
});

async function startOn(path: string): Promise<Broker> {
  const broker = await startBroker({ ...SETTINGS, SLUICE_DATA_DIR: path });
  brokers.push(broker);
  return broker;
}

interface Entry {
  readonly id: string;
  readonly data: string;
}

async function eventsOf(broker: Broker, channel: string): Promise<Entry[]> {
  const all: Entry[] = [];
  for (let after = 'earliest'; ;) {
    const answer = await fetch(`${broker.url}/channels/${channel}/events?after=${after}&limit=10000`);
    const page = (await answer.json()) as { events: Entry[]; next: string; complete: boolean };
    expect(page.complete).toBe(true);
    if (page.events.length === 0) return all;
    all.push(...page.events.map(({ id, data }) => ({ id, data })));
    after = page.next;
  }
}

test('a copy that was made while eight publishers publish has everything that was acknowledged before', async () => {
  const broker = await startOn(folder.path);
  const publishers = Array.from(
    { length: 8 },
    (_, n) =>
      new NumberedPublisher({
        urls: [broker.url],
        key: broker.key,
        channel: CHANNELS[n % 2] ?? '',
        name: `p${n}`,
        rate: 200,
      }),
  );
  for (const publisher of publishers) publisher.start();
  await Promise.all(publishers.map((publisher) => publisher.reached(50)));
  const before = publishers.map(({ acknowledged }) => [...acknowledged]);
  expect(script).toContain('VACUUM INTO');
  const command = script
    .replace('/data/sluice.db', join(folder.path, 'sluice.db'))
    .replace('/data/backup.db', join(restored.path, 'sluice.db'));
  await run(process.execPath, ['-e', command]);
  expect(statSync(join(restored.path, 'sluice.db')).mode & 0o777).toBe(0o600);
  const during = publishers.map(({ acknowledged }) => acknowledged.length);
  await Promise.all(publishers.map((publisher, n) => publisher.reached((during[n] ?? 0) + 1)));
  await Promise.all(publishers.map((publisher) => publisher.stop()));

  const copy = await startOn(restored.path);
  for (const [index, channel] of CHANNELS.entries()) {
    const [original, found] = await Promise.all([eventsOf(broker, channel), eventsOf(copy, channel)]);
    // In order, and nothing invented: the copy is what the log was at one moment.
    expect(found).toEqual(original.slice(0, found.length));
    const ids = new Map(found.map(({ id, data }) => [data, id]));
    const acknowledged = before.filter((_, n) => n % 2 === index).flat();
    expect(acknowledged.filter(({ text, id }) => ids.get(text) !== id)).toEqual([]);
    expect(found.length).toBeLessThan(original.length);
  }

  // The copy goes on as the log would: it knows the idempotency keys, and continues the ids.
  const [known] = before[0] ?? [];
  const headers = { authorization: `Bearer ${copy.key}`, 'idempotency-key': known?.text ?? '' };
  const again = await fetch(`${copy.url}/publish/one`, { method: 'POST', headers, body: known?.text ?? '' });
  expect(await again.json()).toEqual({ channel: 'one', id: known?.id });
  const last = (await eventsOf(copy, 'one')).at(-1);
  const id = await copy.publish('one', 'new');
  const page = await fetch(`${copy.url}/channels/one/events?after=${last?.id}`);
  expect(await page.json()).toMatchObject({ complete: true, events: [{ id, data: 'new' }] });
});
