import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { openStream } from '../../support/sse-reader.ts';
import type { SseStream } from '../../support/sse-reader.ts';
import { readClosing } from '../../support/closing.ts';

const REFUSED = 'sluice_connections_refused_total{reason="ip-limit"}';

/** Two streams per address. One broker trusts the proxies on this machine, the other trusts none. */
let trusting: Broker;
let wary: Broker;
let open: SseStream[];
beforeAll(async () => {
  open = [];
  [trusting, wary] = await Promise.all([
    startBroker({
      SLUICE_MAX_CONNECTIONS_PER_IP: '2',
      SLUICE_TRUSTED_PROXIES: '127.0.0.1,10.0.0.0/8,fd00::/8',
    }),
    startBroker({ SLUICE_MAX_CONNECTIONS_PER_IP: '2', SLUICE_TRUSTED_PROXIES: '192.0.2.0/24' }),
  ]);
});
afterAll(() => Promise.all([trusting.kill(), wary.kill()]));

/** Opens a stream with this X-Forwarded-For, and returns whether the broker serves it. */
async function served(broker: Broker, forwardedFor: string): Promise<boolean> {
  const headers = forwardedFor === '' ? {} : { 'x-forwarded-for': forwardedFor };
  const stream = await openStream(`${broker.url}/events/addressed`, { headers });
  open.push(stream);
  expect(stream.status).toBe(200);
  const ready = stream.until('sluice:ready').then(
    () => true,
    () => false,
  );
  return await Promise.race([ready, stream.ended.then(() => false)]);
}

describe('behind a trusted proxy each client has its own limit', () => {
  test.each([
    ['an IPv4 address', ['198.51.100.1', '198.51.100.1', '198.51.100.1'], '198.51.100.2'],
    [
      'behind two proxies',
      ['198.51.100.3, 10.1.1.1', '198.51.100.3', '198.51.100.3, 10.2.2.2'],
      '198.51.100.4',
    ],
    [
      'with other addresses that the client has put in front',
      ['1.1.1.1, 198.51.100.5', '2.2.2.2, 198.51.100.5', '198.51.100.6, 198.51.100.5'],
      '198.51.100.6',
    ],
    ['an IPv6 network', ['2001:db8:1:1::1', '2001:db8:1:1::2', '2001:db8:1:1:ffff::'], '2001:db8:1:2::1'],
    ['with a port behind it', ['198.51.100.7:1', '198.51.100.7:2', '198.51.100.7'], '198.51.100.8'],
    [
      'behind proxies that have one, too',
      ['198.51.100.9:1, 10.1.1.1:51324', '198.51.100.9, [fd00::1]:443', '198.51.100.9, "10.2.2.2:9"'],
      '198.51.100.10:1, 10.1.1.1:51324',
    ],
  ])('%s', async (_what, [one = '', two = '', three = ''], other) => {
    expect(await served(trusting, one)).toBe(true);
    expect(await served(trusting, two)).toBe(true);
    expect(await served(trusting, three)).toBe(false);
    expect(await served(trusting, other)).toBe(true);
  });

  test('a forwarded text that is no address counts as the proxy', async () => {
    expect(await served(trusting, 'unknown')).toBe(true);
    expect(await served(trusting, `_${'x'.repeat(4_000)}`)).toBe(true);
    expect(await served(trusting, '<script>')).toBe(false);
    expect(await served(trusting, '')).toBe(false);
  });
});

test('a forged X-Forwarded-For changes nothing; a refused client is asked to come back, counted, and logged once', async () => {
  expect(await served(wary, '198.51.100.1')).toBe(true);
  expect(await served(wary, '198.51.100.2')).toBe(true);
  for (let i = 3; i < 13; i++) expect(await served(wary, `198.51.100.${i}`)).toBe(false);
  const refused = open.at(-1);
  expect(readClosing(refused?.text ?? '').reason).toBe('address-limit');
  expect(refused?.retries[0]).toBeGreaterThanOrEqual(5_000);
  expect(refused?.retries[0]).toBeLessThanOrEqual(15_000);
  expect((await readMetrics(wary.url)).get(REFUSED)).toBe(10);
  const lines = wary.log().filter((line) => line.includes('ip-limit'));
  expect(lines.map((line) => JSON.parse(line) as object)).toEqual([
    expect.objectContaining({ limit: 'ip-limit', times: 1, address: '127.0.0.1' }),
  ]);
});

test('an address at its limit is served again after one of its streams has ended', async () => {
  const first = open.find((stream) => stream.events.length > 0);
  expect(await served(trusting, '198.51.100.1')).toBe(false);
  first?.close();
  await expect.poll(() => served(trusting, '198.51.100.1')).toBe(true);
});
