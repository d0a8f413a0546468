import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { connect, iterate } from '../../client/src/index.ts';
import type { ConnectOptions, SluiceClient, TokenReason } from '../../client/src/index.ts';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { ClientReader } from '../support/client-reader.ts';
import { hurryTimers } from '../support/hurry-timers.ts';
import { inSeconds, signToken } from '../support/sign-token.ts';

const SECRET = 'a secret of the tests that is long enough for HS256';

let broker: Broker;
let client: SluiceClient;
beforeAll(async () => {
  broker = await startBroker({
    SLUICE_JWT_SECRET: SECRET,
    SLUICE_JWT_CLOCK_TOLERANCE: '0s',
    SLUICE_PUBLIC_CHANNELS: 'public.*',
    SLUICE_RETRY: '500ms',
    // The tests publish as fast as they can.
    SLUICE_HISTORY_SIZE: '100000',
  });
});
afterEach(() => {
  client.close();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});
afterAll(() => broker.stop());

function token(seconds = 60, claims: object = {}): string {
  const jti = String(Math.random());
  const now = Date.now() / 1000;
  const times = { iat: now, exp: now + seconds };
  return signToken({ jti, sluice: { subscribe: ['mine.*'] }, ...times, ...claims }, SECRET);
}

function tokenOfAnHour(): string {
  const iat = inSeconds(0);
  return token(0, { iat, exp: iat + 3600 });
}

function follow(channel: string, getToken?: ConnectOptions['getToken']): ClientReader {
  client = connect(broker.url, getToken ? { getToken } : {});
  const reader = new ClientReader();
  client.subscribe(channel, reader.options);
  return reader;
}

/** Returns the times of all timers from now on, in ms. Those that are skipped fire at once. */
function recordWaits(skips: (ms: number) => boolean): number[] {
  const waits: number[] = [];
  const unhurried = setTimeout;
  vi.stubGlobal('setTimeout', (run: () => void, ms = 0, ...rest: []) => {
    waits.push(ms);
    return unhurried(run, skips(ms) ? 0 : ms, ...rest);
  });
  return waits;
}

/** Publishes until the condition holds, and returns what was published. */
async function publishUntil(channel: string, reader: ClientReader, done: () => boolean): Promise<string[]> {
  const texts: string[] = [];
  await reader.ready();
  while (!done()) {
    texts.push(String(texts.length));
    await broker.publish(channel, texts.at(-1));
  }
  texts.push('last');
  await broker.publish(channel, 'last');
  await reader.heard('last');
  return texts;
}

describe('a token', () => {
  test('that expires twice is renewed before: no event is lost', async () => {
    const reasons: TokenReason[] = [];
    const reader = follow('mine.renewed', (reason) => {
      reasons.push(reason);
      return token(2);
    });
    const texts = await publishUntil('mine.renewed', reader, () => reasons.length > 2);
    expect(reader.texts).toEqual(texts);
    expect(reasons.slice(0, 3)).toEqual(['start', 'expiring', 'expiring']);
  });

  test('that expires unnoticed is replaced: no event is lost', async () => {
    const reasons: TokenReason[] = [];
    const reader = follow('mine.unnoticed', (reason) => {
      reasons.push(reason);
      // The broker knows better than the claim `iat` that this token is valid for a second only.
      return reasons.length > 1 ? token() : token(1, { iat: inSeconds(-600) });
    });
    const texts = await publishUntil('mine.unnoticed', reader, () => reasons.length > 1);
    expect(reader.texts).toEqual(texts);
    expect(reasons).toEqual(['start', 'refused']);
  });

  test.each([-3_600_000, 3_600_000])('is renewed in time by a clock that is %i ms wrong', async (wrong) => {
    const { now } = Date;
    vi.spyOn(Date, 'now').mockImplementation(() => now() + wrong);
    const reasons: TokenReason[] = [];
    const reader = follow('mine.clock', (reason) => {
      reasons.push(reason);
      const iat = now() / 1000;
      return token(0, { iat, exp: iat + 2 });
    });
    await reader.until(() => reader.positions.length > 1);
    expect(reasons.slice(0, 2)).toEqual(['start', 'expiring']);
  });

  test('that cannot be had is asked for again', async () => {
    hurryTimers(20);
    const reasons: TokenReason[] = [];
    const answers = [
      () => {
        throw new Error('offline');
      },
      () => Promise.reject(new Error('offline')),
      () => new Promise<string>(() => undefined),
      () => 'no token at all',
      () => token(-10),
      () => token(),
    ];
    const reader = follow('mine.patience', (reason) => {
      reasons.push(reason);
      return (answers[reasons.length - 1] ?? answers[5] ?? token)();
    });
    await reader.ready();
    expect(reasons).toEqual(['start', 'start', 'start', 'start', 'refused', 'refused']);
  });

  test('that was refused and comes again is asked for again', async () => {
    hurryTimers(20);
    const old = token(-10);
    let asked = 0;
    const reader = follow('mine.old', () => (++asked > 4 ? token() : old));
    await reader.ready();
    expect(asked).toBe(5);
    expect(reader.errors).toEqual([]);
  });

  test('that does not grant a channel closes only that channel', async () => {
    const mine = follow('mine.one', () => token());
    const other = new ClientReader();
    client.subscribe('other', other.options);
    await other.until(() => other.errors.length > 0);
    expect(other.errors[0]).toMatchObject({ code: 'forbidden', status: 403 });
    await mine.ready();
    expect(mine.errors).toEqual([]);
  });

  test('that is missing ends an iterator with an error', async () => {
    client = connect(broker.url);
    const next = iterate(client, 'mine.one')[Symbol.asyncIterator]().next();
    await expect(next).rejects.toMatchObject({ name: 'SluiceError', code: 'unauthorized' });
  });

  test('that is missing is an error; a public channel needs none', async () => {
    const closed = follow('mine.one');
    await closed.until(() => closed.errors.length > 0);
    expect(closed.errors[0]).toMatchObject({ code: 'unauthorized', status: 401 });
    client.close();
    const open = follow('public.one');
    await open.ready();
    // Not each channel that the client has a position for was granted before.
    const added = new ClientReader();
    client.subscribe('mine.one', { ...added.options, after: '1-0' });
    await added.until(() => added.errors.length > 0);
    await broker.publish('public.one', 'goes on');
    await open.heard('goes on');
    expect(open.errors).toEqual([]);
  });

  test('that comes again when it should be renewed is not asked for all the time', async () => {
    const waits = recordWaits((ms) => ms > 100_000);
    const same = tokenOfAnHour();
    let asked = 0;
    const reader = follow('mine.same', () => (asked++, same));
    await reader.ready();
    await expect.poll(() => asked).toBeGreaterThan(4);
    expect(waits.filter((ms) => ms > 100_000).slice(0, 4)).toEqual([2_880_000, 180_000, 180_000, 180_000]);
  });

  test('that comes when the client is closed leaves no timer', async () => {
    const waits = recordWaits(() => false);
    const answer = Promise.withResolvers<string>();
    const asked = Promise.withResolvers<void>();
    follow('mine.late', () => (asked.resolve(), answer.promise));
    await asked.promise;
    client.close();
    answer.resolve(tokenOfAnHour());
    await answer.promise;
    await new Promise(setImmediate);
    expect(waits).not.toContain(2_880_000);
  });
});
