import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { runSluice } from '../support/run-program.ts';
import type { ProgramOptions, ProgramResult } from '../support/run-program.ts';
import { signToken } from '../support/sign-token.ts';
import { openStream } from '../support/sse-reader.ts';
import type { SseStream } from '../support/sse-reader.ts';

const SECRET = 'a-secret-of-the-tests-with-more-than-32-bytes';
const CHANNELS = 1_100;

let broker: Broker;
let reader: SseStream;
let lastId: string;

beforeAll(async () => {
  broker = await startBroker({ SLUICE_JWT_SECRET: SECRET });
  const many = Array.from({ length: CHANNELS }, (_, index) => ({ channel: `many.${index}`, data: '' }));
  const last = { channel: 'orders.2', data: 'last', close: true };
  await fetch(`${broker.url}/publish`, {
    method: 'POST',
    headers: { authorization: `Bearer ${broker.key}`, 'content-type': 'application/json' },
    body: JSON.stringify([...many, last]),
  });
  const token = signToken({ sub: 'user-7', sluice: { subscribe: ['orders.*'] } }, SECRET);
  reader = await openStream(`${broker.url}/events/orders.1`, {
    headers: { authorization: `Bearer ${token}` },
  });
  await reader.until('sluice:ready');
  await broker.publish('orders.1', 'first');
  lastId = await broker.publish('orders.1', 'second');
  await reader.when(({ events }) => events.some(({ data }) => data === 'second'));
});

afterAll(async () => {
  reader?.close();
  await broker?.stop();
});

function sluice(line: string, options: ProgramOptions = {}): Promise<ProgramResult> {
  const env = { SLUICE_URL: broker.url, SLUICE_KEY: broker.key };
  return runSluice(line.split(' '), { ...options, env: { ...env, ...options.env } });
}

/** The cells of a table, without its titles. */
function rowsOf(stdout: string): string[][] {
  const lines = stripVTControlCharacters(stdout).trimEnd().split('\n');
  return lines.slice(1).map((line) => line.trim().split(/ {2,}/));
}

describe('sluice channels', () => {
  test('lists the channels of a prefix with their events and their end', async () => {
    const { code, stdout, stderr } = await sluice('channels orders.');
    const rows = rowsOf(stdout).toSorted(([a = ''], [b = '']) => a.localeCompare(b));
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/) as string;
    expect(rows).toEqual([
      ['orders.1', '2', time],
      ['orders.2', '1', time, 'ended'],
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('reads all pages, one JSON object a line', async () => {
    const { stdout } = await sluice('channels many. --json');
    const names = stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { channel: string }).channel);
    expect(new Set(names).size).toBe(CHANNELS);
  });

  test('stops at the limit', async () => {
    const { stdout } = await sluice('channels --limit 1003');
    expect(stdout.match(/many\.|orders\./g)).toHaveLength(1_003);
  });

  test('says that no channel has the prefix', async () => {
    expect(await sluice('channels nothing.')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'No channel has this prefix.\n',
    });
  });

  test('fits a terminal of 20 columns', async () => {
    const { stdout } = await sluice('channels orders.2', { columns: 20 });
    expect(stripVTControlCharacters(stdout)).toMatch(
      /^channel: orders\.2\nevents: 1\nlast event: .*\nended: ended\n$/,
    );
  });
});

describe('sluice channel', () => {
  test('shows one channel', async () => {
    const { code, stdout } = await sluice('channel orders.1');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^events +2$/m);
    expect(stdout).toMatch(new RegExp(String.raw`^last event +${lastId}, `, 'm'));
    expect(stdout).toMatch(/^subscribers +1$/m);
    expect(stdout).toMatch(/^keeps +1,000 events for 1 h$/m);
  });

  test('takes a name with a slash for a wrong name, and not for a path', async () => {
    const { code, stderr } = await sluice('channel orders/1');
    expect(code).toBe(1);
    expect(stderr).toContain('"/"');
  });
});

describe('sluice top', () => {
  test('prints the busiest channels once into a pipe', async () => {
    const { code, stdout } = await sluice('top --limit 1');
    expect(code).toBe(0);
    expect(rowsOf(stdout)).toEqual([['orders.1', '2', '2', '1']]);
  });

  test('sorts by another count', async () => {
    const { stdout } = await sluice('top --sort subscribers --limit 3');
    expect(rowsOf(stdout)[0]).toEqual(['orders.1', '2', '2', '1']);
  });

  test('prints the answer of the broker as JSON', async () => {
    const { stdout } = await sluice('top --json');
    expect(JSON.parse(stdout)).toMatchObject({
      seconds: 60,
      deliveries: [{ channel: 'orders.1', count: 2 }],
    });
  });
});

describe('sluice who', () => {
  test('lists the subscribers of a channel', async () => {
    const { code, stdout, stderr } = await sluice('who orders.1');
    const since = expect.stringMatching(/^\d{4}-\d\d-\d\d /) as string;
    expect(rowsOf(stdout)).toEqual([['user-7', since, '0', lastId, broker.replica]]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('asks for one subject', async () => {
    expect((await sluice('who orders.1 --sub user-8')).stderr).toBe('Nobody listens to this channel now.\n');
    const { stdout } = await sluice('who orders.1 --sub user-7 --json');
    expect(JSON.parse(stdout)).toMatchObject({ count: 1, subscribers: [{ sub: 'user-7' }] });
  });
});

describe('sluice status', () => {
  test('shows the log and the replicas', async () => {
    const { code, stdout } = await sluice('status');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^log {2}in memory, up\n\n/);
    expect(rowsOf(stdout).at(-1)).toEqual([broker.replica, expect.any(String), '1', expect.any(String)]);
  });

  test('shows the settings without secrets', async () => {
    const { stdout } = await sluice('status --settings');
    expect(rowsOf(stdout)).toContainEqual(['SLUICE_PUBLISH_KEYS', 'set']);
    expect(stdout).not.toContain(SECRET);
    expect(stdout).not.toContain(broker.key);
  });
});
