import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { documentShell } from '../support/document-shell.ts';
import { serverPorts } from '../support/server-ports.ts';
import { Terminal } from '../support/terminal.ts';

const lines = documentShell('docs/operations.md', import.meta.filename);
const KEY = 'the-key-of-these-command-lines';
/** In the line that a broker logs once it listens. */
const LISTENING = 'sluice is listening';

let broker: Broker;
let port = 0;
let terminal: Terminal;
beforeAll(async () => {
  [[port = 0], broker] = await Promise.all([
    serverPorts(1),
    startBroker({ SLUICE_JWT_SECRET: 's'.repeat(32), SLUICE_PUBLIC_CHANNELS: '*', SLUICE_PUBLISH_KEYS: KEY }),
  ]);
  terminal = new Terminal({
    clone: true,
    env: { HOST: '127.0.0.1', PORT: String(port), SLUICE_PUBLISH_KEYS: KEY, KEY },
    replace: [
      ['https://events.example', broker.url],
      ['http://localhost:3000', `http://127.0.0.1:${port}`],
      ['http://localhost:3001', broker.url],
      ['key-of-the-old-broker', KEY],
      ['key-of-the-new-broker', KEY],
    ],
  });
});
afterEach(() => terminal.killAll());
afterAll(async () => {
  terminal.remove();
  await broker.stop();
});

test('a log on disk, its backup, the restored log, and the move to another broker', async () => {
  const url = `http://127.0.0.1:${port}`;
  await terminal.until(lines('mkdir -p data'), LISTENING);
  const headers = { authorization: `Bearer ${KEY}` };
  const published = await fetch(`${url}/publish/kept`, { method: 'POST', headers, body: 'on disk' });
  const { id } = (await published.json()) as { id: string };
  await terminal.run(lines('sqlite3 data/sluice.db'));
  terminal.killAll();

  await terminal.until(lines('mkdir restored'), LISTENING);
  const page = await fetch(`${url}/channels/kept/events?after=earliest`);
  expect(await page.json()).toMatchObject({ events: [{ id, data: 'on disk' }] });

  expect(await terminal.run(lines('examples/move-channels.mjs'))).toContain('"failed":0');
  const moved = await fetch(`${broker.url}/channels/kept/events?after=earliest`);
  expect(await moved.json()).toMatchObject({ events: [{ data: 'on disk' }] });
});
