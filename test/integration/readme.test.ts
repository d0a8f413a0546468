import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { documentShell } from '../support/document-shell.ts';
import { freePort } from '../support/free-port.ts';
import { Terminal } from '../support/terminal.ts';

// The lines of README.md, examples/README.md, and those at the beginning of docs/cli.md, with a free port in the place of 3000.

const readme = documentShell('README.md', import.meta.filename);
const cli = documentShell('docs/cli.md', import.meta.filename);
const examples = documentShell('examples/README.md', import.meta.filename);

let terminal: Terminal;
beforeAll(async () => {
  const port = String(await freePort());
  terminal = new Terminal({
    clone: true,
    first: `sluice() { node ${JSON.stringify(process.cwd())}/src/main.ts "$@"; }`,
    env: { HOST: '127.0.0.1', PORT: port, SLUICE_URL: `http://127.0.0.1:${port}`, SLUICE_DRAIN_WINDOW: '0s' },
    // The packages are there already.
    replace: [
      ['http://localhost:3000', `http://127.0.0.1:${port}`],
      ['npm ci && ', ''],
    ],
  });
});
afterEach(() => terminal.killAll());
afterAll(() => terminal.remove());

test('README.md and examples/README.md: start, listen, publish', async () => {
  const stop = await terminal.serve(readme('npm ci && npm start'));
  const listening = terminal.until(readme('curl -N http://localhost:3000/events/news'), 'data: hello');
  const heard = listening.then(() => true);
  const publish = readme('-d hello http://localhost:3000/publish/news');
  // The stream begins live: publishes until it has come.
  do expect(await terminal.run(publish)).toContain('"channel":"news"');
  while (!(await Promise.race([heard, nextTurn(false)])));

  expect(await terminal.run(readme('orders.42?event=created'))).toContain('"channel":"orders.42"');
  const first = await terminal.run(readme('Idempotency-Key: created-42'));
  expect(first).toContain('"channel":"orders.42"');
  expect(await terminal.run(readme('Idempotency-Key: created-42'))).toBe(first);

  expect(await terminal.run(examples('export SLUICE_KEY'))).toContain('"channel":"news"');
  await stop();
});

test('docs/cli.md: serve, subscribe, publish', async () => {
  const stop = await terminal.serve(cli('sluice serve'));
  const heard = terminal.until(cli('sluice subscribe news'), 'Hello').then(() => true);
  do await terminal.run(cli('sluice publish news'));
  while (!(await Promise.race([heard, nextTurn(false)])));
  await stop();
});
