import { describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import { exchange } from '../../support/raw-http.ts';

describe('a broker does not start', () => {
  test.each([
    [
      'SLUICE_HEARBEAT',
      '15s',
      'sluice: SLUICE_HEARBEAT is not a setting of this version. Did you mean SLUICE_HEARTBEAT?',
    ],
    [
      'SLUICE_HEARTBEAT',
      '15',
      'sluice: SLUICE_HEARTBEAT is "15"; expected a number with ms, s, m, h or d. Example:',
    ],
  ])('with %s=%s, and says why in one line', async (name, value, line) => {
    const failure: unknown = await startBroker({ [name]: value }).catch((error: unknown) => error);
    const said = (failure as Error).message.split('\n').slice(1);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain(line);
  });

  test('on a port in use, and says why without a stack trace', async () => {
    const first = await startBroker();
    const second = startBroker({ PORT: String(first.port) });
    await expect(second).rejects.toThrow(/^sluice: .*EADDRINUSE.*$/m);
    await expect(second).rejects.not.toThrow(/^ {4}at /m);
    await first.kill();
  });
});

describe('publishing always needs a key', () => {
  test('without SLUICE_PUBLISH_KEYS the broker makes a key for the run, and logs it once', async () => {
    const broker = await startBroker({ SLUICE_PUBLISH_KEYS: '' });
    expect(broker.key).toMatch(/^[\w-]{32}$/);
    expect(broker.log().filter((line) => line.includes(broker.key))).toHaveLength(1);
    expect(await broker.publish('news', 'x')).toMatch(/^\d+-\d+$/);
    const headers = ['Authorization: Bearer ', 'Content-Length: 0'];
    const answer = await exchange(broker.port, { method: 'POST', path: '/publish/news', headers });
    expect(answer.status).toBe(401);
    await broker.kill();
  });

  test('with SLUICE_PUBLISH_KEYS the broker makes no other key', async () => {
    const broker = await startBroker();
    expect(broker.log().filter((line) => line.includes('publishKey'))).toEqual([]);
    await broker.kill();
  });
});
