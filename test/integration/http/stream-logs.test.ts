import { afterEach, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { openIdleSocket } from '../../support/idle-socket.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { signToken } from '../../support/sign-token.ts';
import { openStream } from '../../support/sse-reader.ts';
import type { SseStream } from '../../support/sse-reader.ts';

const SECRET = 'a secret of more than thirty-two bytes';

let broker: Broker;
afterEach(() => broker.kill());

type Line = Readonly<Record<string, unknown>>;

const linesOf = (text: string): Line[] =>
  broker
    .log()
    .map((line) => JSON.parse(line) as Line)
    .filter(({ msg }) => msg === text);

const switchLevel = async (logLevel: string): Promise<void> => {
  process.kill(broker.pid, 'SIGUSR2');
  await broker.logged(`"logLevel":"${logLevel}"`);
};

async function subscribe(path: string, headers: Readonly<Record<string, string>> = {}): Promise<SseStream> {
  const stream = await openStream(`${broker.url}${path}`, { headers });
  await stream.until('sluice:ready');
  return stream;
}

test('at debug, and only then, each stream says when it opens and why it ends', async () => {
  broker = await startBroker({ SLUICE_JWT_SECRET: SECRET, SLUICE_PUBLIC_CHANNELS: 'public.*' });
  (await subscribe('/events/public.silent')).close();
  // The broker may notice later that the client has left, and would then log that at debug.
  await expect.poll(async () => (await readMetrics(broker.url)).get('sluice_connections')).toBe(0);
  await switchLevel('debug');
  const id = await broker.publish('news', 'x');
  const token = signToken({ sub: '7', sluice: { subscribe: ['*'] } }, SECRET);
  const stream = await subscribe(`/events/news?token=${token}`, { 'last-event-id': '0-0' });
  const many = Array.from({ length: 7 }, (_, i) => `public.${i}`);
  const second = await subscribe(`/events?${many.map((name) => `channel=${name}`).join('&')}`);
  stream.close();
  await broker.logged('"a stream ended"');
  second.close();
  await expect.poll(() => linesOf('a stream ended')).toHaveLength(2);
  const about = { level: 20, address: '127.0.0.1' };
  const named = { channels: many.slice(0, 5), moreChannels: 2 };
  expect(linesOf('a stream opened')).toMatchObject([
    { ...about, channels: ['news'], sub: '7', cursor: '0-0' },
    { ...about, ...named },
  ]);
  expect(linesOf('a stream ended')).toMatchObject([
    {
      ...about,
      channels: ['news'],
      sub: '7',
      position: id,
      reason: 'client',
      age: expect.any(Number) as number,
    },
    { ...about, ...named, reason: 'client' },
  ]);
  expect(broker.log().join('\n')).not.toContain(token.slice(0, 20));

  await switchLevel('info');
  const late = await subscribe('/events/public.late');
  await broker.stop();
  await late.ended;
  expect(linesOf('a stream opened')).toHaveLength(2);
  expect(linesOf('a stream ended')).toHaveLength(2);
});

test('a reader that is cut off because it takes nothing is a line at info', async () => {
  broker = await startBroker({ SLUICE_STALL_TIMEOUT: '1s' });
  const idle = await openIdleSocket(broker.port, '/events/news');
  const data = 'x'.repeat(1_000_000);
  for (let i = 0; i < 8; i++) await broker.publish('news', data);
  const line = JSON.parse(await broker.logged('a reader took nothing')) as Line;
  expect(line).toMatchObject({ level: 30, channels: ['news'], address: '127.0.0.1', times: 1 });
  expect(line['position']).toMatch(/^\d+-\d+$/);
  idle.destroy();
});
