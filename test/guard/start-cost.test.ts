import { expect, onTestFinished, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import { Inspector } from '../support/inspector.ts';

/** What a start loads, and not how long that takes. */

test('a broker does not load fetch before it needs it', async () => {
  const broker = await startBroker({ NODE_OPTIONS: '--inspect=127.0.0.1:0' });
  onTestFinished(async () => void (await broker.kill()));
  const inspector = await Inspector.of(broker);
  onTestFinished(() => inspector.close());

  const modules = await inspector.builtinModules();
  expect(modules).toContain('NativeModule http');
  expect(modules).not.toContain('NativeModule internal/deps/undici/undici');
});
