import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { CHART } from '../support/helm.ts';

const run = promisify(execFile);
let broker: Broker;

beforeAll(async () => {
  broker = await startBroker();
});
afterAll(async () => {
  await broker.stop();
});

/** Runs the script as the pod of `helm test` does. */
const attempt = async (env: Readonly<Record<string, string>>): Promise<string> => {
  const { stdout } = await run(process.execPath, [join(CHART, 'files/try.mts')], { env });
  return stdout;
};

test('the script of helm test publishes an event and reads it back', async () => {
  const said = await attempt({ URL: broker.url, PUBLISH_KEYS: `${broker.key},another` });
  expect(said).toMatch(/published: .*"channel":"helm-test\.[^"]+"/);
  expect(said).toContain('received the event');
});

test('the script fails, and says why, when it may not publish', async () => {
  await expect(attempt({ URL: broker.url, PUBLISH_KEYS: 'wrong' })).rejects.toThrow(
    'POST /publish failed: 401',
  );
  await expect(attempt({ URL: broker.url })).rejects.toThrow('There is no publish key');
});

test('the script fails when the broker does not answer', async () => {
  await expect(attempt({ URL: 'http://127.0.0.1:1', PUBLISH_KEYS: 'any' })).rejects.toThrow('fetch failed');
});
