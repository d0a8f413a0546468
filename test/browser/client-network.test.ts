import { createServer, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ClientStage, eventually } from '../support/client-pages.ts';
import type { BrowserName } from '../support/launch-browser.ts';
import type { TcpRelay } from '../support/tcp-relay.ts';
import { startTcpRelay } from '../support/tcp-relay.ts';

async function startRelay(port: number): Promise<AsyncDisposable & TcpRelay> {
  const relay = await startTcpRelay(port);
  return Object.defineProperty(relay, Symbol.asyncDispose, { value: () => relay.close() }) as never;
}

/** Passes answers on when they are complete, as some proxies and virus scanners do. */
async function startBufferingProxy(port: number): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((incoming, outgoing) => {
    const { url: path, headers, method } = incoming;
    const passed = request({ port, host: '127.0.0.1', path, headers, method }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () =>
        outgoing.writeHead(answer.statusCode ?? 0, answer.headers).end(Buffer.concat(chunks)),
      );
    });
    outgoing.on('close', () => passed.destroy());
    // The page gives up streams that stay silent.
    passed.on('error', () => outgoing.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

// The tests wait for the client's patience most of the time, and wait together.
describe.concurrent.each<BrowserName>(['chrome', 'firefox'])('a page in %s', (name) => {
  let stage: ClientStage;
  beforeAll(async () => {
    stage = await ClientStage.start(name);
  });
  afterAll(async () => {
    await stage.close();
  });

  test.concurrent('comes back after each of several cuts', async () => {
    await using scene = await stage.begin();
    const { numbers } = scene;
    await using relay = await startRelay(stage.broker.port);
    const tab = await scene.open({ url: relay.url });
    for (let i = 0; i < 2; i++) {
      const before = relay.accepted;
      await numbers.publish(2);
      relay.cut();
      await numbers.publishDuring(eventually(() => expect(relay.accepted).toBeGreaterThan(before)));
    }
    await tab.has(numbers.channel, numbers.published);
  });

  test.concurrent('notices a mute network, and comes back over another connection', async () => {
    await using scene = await stage.begin();
    const { numbers } = scene;
    await using relay = await startRelay(stage.broker.port);
    const tab = await scene.open({ url: relay.url });
    await numbers.publish(2);
    await tab.has(numbers.channel, numbers.published);
    relay.abandonOpen();
    await numbers.publish(2);
    const silent = Date.now();
    await tab.has(numbers.channel, numbers.published);
    expect(Date.now() - silent).toBeLessThan(20_000);
  });

  test.concurrent('polls through a proxy that holds answers back', async () => {
    await using scene = await stage.begin();
    const { numbers } = scene;
    await using proxy = await startBufferingProxy(stage.broker.port);
    const tab = await scene.open({ url: proxy.url });
    expect((await tab.heard()).statuses.at(-1)).toBe('polling');
    for (let i = 0; i < 3; i++) {
      await numbers.publish(2);
      await tab.has(numbers.channel, numbers.published);
    }
  });

  test.concurrent('comes back when the browser is online again', async () => {
    await using scene = await stage.begin();
    const { numbers } = scene;
    await using relay = await startRelay(stage.broker.port);
    const tab = await scene.open({ url: relay.url });
    await tab.page.setOfflineMode(true);
    // Chromium cuts no open stream.
    relay.breakDown();
    await numbers.publish(2);
    relay.mend();
    await tab.page.setOfflineMode(false);
    await tab.has(numbers.channel, numbers.published);
  });

  // Firefox has several tabs of a site in one process.
  test
    .runIf(name === 'chrome')
    .concurrent('that shares takes the connection when its tab hangs', async () => {
      await using scene = await stage.begin();
      const { numbers } = scene;
      const tabs = [
        await scene.open({ options: { share: 'tests' } }),
        await scene.open({ options: { share: 'tests' } }),
      ] as const;
      const [leader, other] = tabs;
      // Longer than the patience of the other tab.
      await leader.page.evaluate(
        'void setTimeout(() => { for (const end = Date.now() + 13e3; Date.now() < end; ); })',
      );
      await numbers.publish(2);
      await other.has(numbers.channel, numbers.published);
      await numbers.publish(2);
      for (const tab of tabs) await tab.has(numbers.channel, numbers.published);
    });
});
