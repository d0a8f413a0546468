import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import { runExample } from '../support/running-example.ts';
import { startExample } from '../support/start-example.ts';

const ROOT = join(import.meta.dirname, '../..');
const answers = async (url: string): Promise<boolean> =>
  await fetch(url).then(
    () => true,
    () => false,
  );

const NAMES = ['ai-answer', 'chat', 'dashboard', 'file-export', 'iot-board', 'notifications', 'smallest'];

test('without a name, or with a wrong one, the command lists the examples', async () => {
  const run = promisify(execFile);
  const { stdout } = await run('npm', ['run', '--silent', 'example'], { cwd: ROOT });
  for (const name of NAMES) expect(stdout).toMatch(`\n  ${name} `);
  await expect(run('npm', ['run', '--silent', 'example', 'nothing'], { cwd: ROOT })).rejects.toMatchObject({
    code: 1,
    stdout,
    stderr: 'There is no example nothing.\n\n',
  });
  const two = run('npm', ['run', '--silent', 'example', 'chat', 'dashboard'], { cwd: ROOT });
  await expect(two).rejects.toMatchObject({ code: 1, stderr: 'npm run example takes one name.\n\n' });
});

test.each<[string, Record<string, string>]>([
  ['PORT is "abc". It must be', { PORT: 'abc' }],
  ['PORT is "99999". It must be', { PORT: '99999' }],
  ['It needs SLUICE_KEY', { SLUICE_URL: 'http://localhost:1' }],
  ['SLUICE_URL is "nonsense". It must be', { SLUICE_URL: 'nonsense', SLUICE_KEY: 'a-key' }],
  ['must not have a user or a password', { SLUICE_URL: 'http://me:word@localhost', SLUICE_KEY: 'a-key' }],
  ['SLUICE_KEY has a character', { SLUICE_URL: 'http://localhost:1', SLUICE_KEY: 'with\na newline' }],
  ['No broker answers at http://localhost:1 (', { SLUICE_URL: 'http://localhost:1', SLUICE_KEY: 'a-key' }],
])('the command says: %s', async (message, env) => {
  await refuses(env, message);
});

test('an explicit port that is taken is an error, and so is a key that the broker refuses', async () => {
  const broker = await startBroker();
  const port = new URL(broker.url).port;
  await refuses({ PORT: port }, `Port ${port} cannot be used: it is taken.`);
  await refuses({ SLUICE_URL: broker.url, SLUICE_KEY: 'another-key' }, `at ${broker.url} refuses SLUICE_KEY`);
  await broker.kill();
});

/** Runs an example that cannot start: it says why in one line, without a stack trace. */
async function refuses(env: Record<string, string>, message: string): Promise<void> {
  const command = [process.execPath, join(ROOT, 'examples/start.ts'), 'smallest'];
  const example = runExample(command, { EXAMPLE_OUTPUT: 'json', ...env });
  expect(await example.exit).toBe(1);
  expect(example.stderr).toContain(message);
  expect(example.stderr.trim().split('\n')).toHaveLength(1);
}

test('the page is there when its address is printed, also where the look-up of localhost takes long', async () => {
  const slow = `import dns from 'node:dns'; const { lookup } = dns;
    dns.lookup = (...all) => void setTimeout(lookup, 100, ...all);`;
  const { example, page } = await startExample('npm run example smallest', {
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(slow)}`,
  });
  const response = await fetch(page);
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(await response.text()).toContain('<meta charset="utf-8">');
  await example.kill('SIGTERM');
});

test('the smallest backend says that the broker refuses its key', async () => {
  const broker = await startBroker();
  const env = { PORT: '0', SLUICE_URL: broker.url, SLUICE_KEY: 'another-key' };
  const backend = runExample([process.execPath, join(ROOT, 'examples/smallest/backend.mjs')], env);
  await expect.poll(() => backend.stderr, { timeout: 20_000 }).toMatch(/^401 \{/);
  await backend.kill();
  await broker.kill();
});

test('the page gets a token for its user, and never the publish key; SIGTERM ends page and broker', async () => {
  const { example, page, broker, key } = await startExample('npm run example notifications');
  for (const path of ['/', '/broker', '/token?user=ada', '/channels?user=ada', '/notifications/page.js']) {
    const response = await fetch(page + path);
    expect(response.status).toBe(200);
    expect(await response.text()).not.toContain(key);
  }
  for (const path of [
    '/notifications/backend.mjs',
    '/start.ts',
    '/notifications/README.md',
    '/token?user=eve',
  ])
    expect((await fetch(page + path)).ok).toBe(false);
  const authorization = `Bearer ${await (await fetch(`${page}/token?user=ada`)).text()}`;
  for (const [channel, status] of [
    ['user.ada', 200],
    ['organization.acme', 200],
    ['user.ben', 403],
  ] as const) {
    const response = await fetch(`${broker}/events/${channel}`, { headers: { authorization } });
    expect(response.status).toBe(status);
    await response.body?.cancel();
  }
  await example.kill('SIGTERM');
  for (const url of [page, broker]) await expect.poll(() => answers(url)).toBe(false);
});

test('the broker ends when the example is killed', async () => {
  const env = { PORT: '0', EXAMPLE_OUTPUT: 'json' };
  const example = runExample([process.execPath, join(ROOT, 'examples/start.ts'), 'dashboard'], env);
  const { broker } = (await example.next()) as { broker: string };
  expect(await answers(broker)).toBe(true);
  await example.kill('SIGKILL');
  await expect.poll(() => answers(broker)).toBe(false);
});

test('with SLUICE_URL and SLUICE_KEY the example uses a broker that runs already', async () => {
  const broker = await startBroker({ SLUICE_JWT_SECRET: 'a secret that only this test and its broker know' });
  const example = await startExample('npm run example iot-board', {
    SLUICE_URL: broker.url,
    SLUICE_KEY: broker.key,
  });
  expect([example.broker, example.brokerPid]).toEqual([broker.url, undefined]);
  const token = await (await fetch(`${example.page}/token`)).text();
  const response = await fetch(`${broker.url}/events/sensors?state`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(response.status).toBe(200);
  await response.body?.cancel();
  await example.example.kill('SIGTERM');
  await broker.kill();
});
