import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium } from '../support/chromium.ts';
import { startEdge } from '../support/edge.ts';
import type { Edge } from '../support/edge.ts';
import { startPageServer } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';
import { serverPorts } from '../support/server-ports.ts';
import { Stage } from '../support/stage.ts';

const channels = Array.from({ length: 8 }, (_, i) => `tab.${i + 1}`);

/** A page with an EventSource for each channel; `ready` and `heard` record what arrives. */
const page = `<!doctype html><title>An application</title><link rel="icon" href="data:,"><script>
  const ready = new Set();
  const heard = {};
  const open = (broker, channels) => {
    for (const channel of channels) {
      const source = new EventSource(broker + '/events/' + channel);
      source.addEventListener('sluice:ready', () => ready.add(channel));
      source.onmessage = ({ data }) => (heard[channel] = data);
    }
  };
</script>`;

let stage: Stage;
let edge: Edge;
let application: PageServer;
let browser: Browser;

beforeAll(async () => {
  application = await startPageServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end(page);
  });
  const [adminPort = 0] = await serverPorts(1);
  const env = { SLUICE_ADMIN_PORT: String(adminPort), SLUICE_CORS_ORIGINS: application.origin };
  stage = await Stage.open({ replicas: 0, env });
  await stage.addReplica({ HOST: '127.0.0.1' });
  await stage.addReplica({ HOST: '127.0.0.2' });
  const hosts = stage.urls.map((url) => new URL(url).host) as [string, string];
  edge = await startEdge('nginx', { replicas: hosts, adminPort });
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await edge?.stop();
  await application?.close();
  await stage?.close();
});

test('a page has eight streams open at a time, where HTTP/1.1 would allow six', async () => {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const tab = await context.newPage();
  await tab.goto(application.origin);
  await tab.evaluate(`open(${JSON.stringify(edge.secureUrl)}, ${JSON.stringify(channels)})`);
  await tab.waitForFunction(`ready.size === ${channels.length}`);
  for (const channel of channels) await stage.broker(0).publish(channel, `for ${channel}`);
  await tab.waitForFunction(`Object.keys(heard).length === ${channels.length}`);
  expect(await tab.evaluate('heard')).toEqual(
    Object.fromEntries(channels.map((channel) => [channel, `for ${channel}`])),
  );
  await context.close();
});
