import { describe, expect, test } from 'vitest';
import { PublishKeys } from '../../../src/auth/publish-keys.ts';
import type { Rate, RateCounter } from '../../../src/auth/rate.ts';
import { PublishLimiter } from '../../../src/publish/publish-limiter.ts';
import type { CountedPublish, CountedPublisher } from '../../../src/publish/publish-limiter.ts';

const HOUR = 3_600_000;
const keys = new PublishKeys(['one', 'two']);

function publisher(credential: string, address = '192.0.2.1'): CountedPublisher {
  return { credential, access: keys.access(credential) ?? expect.unreachable(), address };
}

interface Limiter {
  readonly count: (who?: CountedPublisher) => Promise<CountedPublish | undefined>;
  readonly uncounted: () => number;
  readonly refused: string[];
}

function limiter(rates: { perKey?: Rate; perAddress?: Rate }, counter?: RateCounter): Limiter {
  let uncounted = 0;
  const refused: string[] = [];
  const made = new PublishLimiter({
    perKey: rates.perKey,
    perAddress: rates.perAddress,
    counter,
    onUncounted: () => uncounted++,
    onRequestRefused: (reason, address) => refused.push(`${reason} ${address}`),
  });
  return {
    count: async (who = publisher('one')) => await made.count(who),
    uncounted: () => uncounted,
    refused,
  };
}

test('without a rate nothing is counted, and answers have no rate headers', async () => {
  expect(await limiter({}, { count: () => expect.unreachable() }).count()).toBeUndefined();
});

describe('in one process', () => {
  test('each key and each address has its own count', async () => {
    const { count, refused } = limiter({
      perKey: { limit: 2, window: HOUR },
      perAddress: { limit: 3, window: HOUR },
    });
    const said: string[] = [];
    for (const [key, address] of [
      ['one', 'a'],
      ['one', 'b'],
      ['two', 'a'],
      ['one', 'a'],
      ['two', 'a'],
    ] as const) {
      const counted = await count(publisher(key, address));
      said.push(`${counted?.headers.ratelimit} ${counted?.refusal?.code}`);
    }
    expect(said).toEqual([
      '"key";r=1;t=3600, "ip";r=2;t=3600 undefined',
      '"key";r=0;t=3600, "ip";r=2;t=3600 undefined',
      '"key";r=1;t=3600, "ip";r=1;t=3600 undefined',
      '"key";r=0;t=3600, "ip";r=0;t=3600 too-many-requests',
      '"key";r=0;t=3600, "ip";r=0;t=3600 too-many-requests',
    ]);
    expect(refused).toEqual(['key-rate a', 'ip-rate a']);
  });

  test('counts the 5,000 addresses that published last, however many others come', async () => {
    const { count } = limiter({ perAddress: { limit: 1, window: HOUR } });
    const isRefused = async (address: string): Promise<boolean> =>
      (await count(publisher('one', address)))?.refusal !== undefined;
    await isRefused('first');
    await isRefused('second');
    for (let i = 0; i < 4_998; i++) await isRefused(`other ${i}`);
    // The address was used again, so it is not the oldest any more.
    expect(await isRefused('first')).toBe(true);
    await isRefused('one too many');
    expect(await isRefused('first')).toBe(true);
    expect(await isRefused('second')).toBe(false);
  });

  test('a window ends after its time, however late the last count was', async () => {
    const { count } = limiter({ perKey: { limit: 1, window: 50 } });
    expect((await count())?.refusal).toBeUndefined();
    await expect.poll(async () => (await count())?.refusal, { interval: 5 }).toBeUndefined();
  });
});

describe('over all replicas', () => {
  const perKey = { limit: 4, window: HOUR };

  test('the shared counter decides', async () => {
    const names: string[] = [];
    const { count, refused } = limiter(
      { perKey, perAddress: { limit: 9, window: 60_000 } },
      {
        count: async (name, window) => {
          names.push(name);
          return { count: name.startsWith('key') ? 5 : 3, left: window - 1 };
        },
      },
    );
    const counted = await count();
    expect(counted?.headers).toEqual({
      'ratelimit-policy': '"key";q=4;w=3600, "ip";q=9;w=60',
      ratelimit: '"key";r=0;t=3600, "ip";r=6;t=60',
    });
    expect(counted?.refusal).toMatchObject({ code: 'too-many-requests', retryAfter: 3_600 });
    expect(refused).toEqual(['key-rate 192.0.2.1']);
    expect(names).toEqual([expect.stringMatching(/^key:[\w-]{22}$/), 'ip:192.0.2.1']);
  });

  test.each<[how: string, count: RateCounter['count']]>([
    ['refuses', () => Promise.reject(new Error('away'))],
    ['never answers', () => new Promise(() => undefined)],
  ])('a counter that %s refuses nobody, and is not asked for every publish', async (_how, answer) => {
    let asked = 0;
    const { count, uncounted } = limiter(
      { perKey },
      {
        count(name, window) {
          asked++;
          return answer(name, window);
        },
      },
    );
    for (let i = 0; i < 10; i++)
      expect(await count()).toEqual({
        headers: { 'ratelimit-policy': '"key";q=4;w=3600', ratelimit: '"key";r=4;t=0' },
        refusal: undefined,
      });
    expect(uncounted()).toBe(10);
    expect(asked).toBe(1);
  });
});
