import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { documentShell } from '../support/document-shell.ts';
import { freePort } from '../support/free-port.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { openStream } from '../support/sse-reader.ts';
import { Terminal } from '../support/terminal.ts';

const recipe = documentShell('docs/recipes.md', import.meta.filename);

let url: string;
let redis: RedisServer;
let terminal: Terminal;
let stopBroker: () => Promise<void>;
beforeAll(async () => {
  const [port, otherPort] = [await freePort(), await freePort()];
  url = `http://127.0.0.1:${port}`;
  redis = await startRedis();
  terminal = new Terminal({
    clone: true,
    first: recipe('URL=http'),
    env: { HOST: '127.0.0.1', PORT: String(port), SLUICE_DRAIN_WINDOW: '0s' },
    replace: [
      ['http://localhost:3000', url],
      ['redis://localhost:6379', redis.url],
      ['PORT=3001', `PORT=${port}`],
      ['http://localhost:3001', url],
      ['PORT=3002', `PORT=${otherPort}`],
      ['http://localhost:3002', `http://127.0.0.1:${otherPort}`],
    ],
  });
  stopBroker = await terminal.serve(recipe('mkdir -p data'));
});
afterEach(() => terminal.killAll());
afterAll(async () => {
  terminal.remove();
  await redis.stop();
});

const run = (lines: string): Promise<string> => terminal.run(lines);

/** Listens with one block, and publishes with another until the text has come: a stream begins live. */
async function heardLive(listen: string, text: string, publish: string): Promise<void> {
  const heard = terminal.until(listen, text).then(() => true);
  do expect(await run(publish)).toContain('"id"');
  while (!(await Promise.race([heard, nextTurn(false)])));
}

interface Page {
  readonly events: readonly unknown[];
}

describe('docs/recipes.md: publish', () => {
  test('to several channels', async () => {
    expect(JSON.parse(await run(recipe('"user.1","user.2"')))).toMatchObject({
      events: [{ channel: 'user.1' }, { channel: 'user.2' }],
    });
    expect(JSON.parse(await run(recipe('"channels":"*"')))).toMatchObject({ complete: true });
    const listen = recipe('channel=orders.42&channel=chat.7');
    await heardLive(listen, 'data: hello', recipe('hello $URL/publish/chat.7'));
  });

  test('a bulk import', async () => {
    expect(JSON.parse(await run(recipe('"orders.2"')))).toMatchObject({
      events: [{ channel: 'orders.1' }, { channel: 'orders.2' }],
    });
    const answer = JSON.parse(await run(recipe('application/x-ndjson'))) as Page;
    expect(answer.events).toHaveLength(1_000);
    expect(JSON.parse(await run(recipe('import-1')))).toMatchObject({ published: 20_000 });

    await run('touch app.log');
    terminal.start(recipe('tail -n 0'));
    const polled = run('curl "$URL/channels/logs/events?wait=20s"').then((text) => text.includes('"a line"'));
    do await run('echo "a line" >> app.log');
    while (!(await Promise.race([polled.then(() => true), nextTurn(false)])));
    expect(await polled).toBe(true);
  });

  test('exactly once', async () => {
    const first = await run(recipe('orders-db-'));
    const second = await run(recipe('orders-db-'));
    expect(first.toLowerCase()).not.toContain('idempotent-replayed');
    expect(second.toLowerCase()).toContain('idempotent-replayed: true');
    expect(second.split('\r\n').at(-1)).toBe(first.split('\r\n').at(-1));
    await run('curl -H "$AUTH" -X DELETE $URL/channels/orders.17');
    expect((await run(recipe('orders-db-'))).toLowerCase()).toContain('idempotent-replayed: true');
  });

  test('only if nothing came in between', async () => {
    const { id } = JSON.parse(await run(recipe('ifLast'))) as { id: string };
    expect(JSON.parse(await run(recipe('If-Match')))).toMatchObject({ status: 412, tail: id });
    expect(await run(recipe('If-Match').replace('0-0', id))).toContain('"id"');
  });

  test('the end of a channel', async () => {
    expect(await run(recipe('publish/game.7'))).toContain('"channel":"game.7"');
    expect(await run(recipe('publish/game.7'))).toContain('urn:sluice:problem:channel-ended');
    expect(await run(recipe('channels/game.7'))).toContain('204 No Content');
  });
});

describe('docs/recipes.md: in a page', () => {
  test('the answer of a model', async () => {
    const listening = run(recipe('answer.1?last_event_id'));
    expect(JSON.parse(await run(recipe('An answer comes word by word')))).toMatchObject({ published: 6 });
    const heard = await listening;
    expect(heard).toContain('data: answer\n');
    expect(heard).toContain('event: sluice:end\n');
    expect(heard).toContain('done\n');
    expect(JSON.parse(await run(recipe('event: token')))).toMatchObject({ published: 2 });
    expect(JSON.parse(await run(recipe('event=failed')))).toMatchObject({ channel: 'answer.3' });
    const plain = await run(recipe('only=active'));
    expect(plain).toContain('data: Hello\n');
    expect(plain).not.toContain('sluice:');
    expect(plain).toContain('204 No Content');
  });

  test('tokens with a cookie', async () => {
    expect(JSON.parse(await run(recipe('{"sub":"7","subscribe"')))).toMatchObject({
      token: expect.stringContaining('.') as unknown,
    });
    expect((await fetch(`${url}/events/user.7`)).status).toBe(401);
    await run(recipe('"user.1","user.2"').replace('user.2', 'user.7'));
    await terminal.until(recipe('Cookie: sluice_token'), 'data: hello');
  });

  test('the newest value of each key', async () => {
    expect(await run(recipe('"key":"ICE","delete":true'))).toContain('"channel":"prices"');
    const { events } = JSON.parse(await run(recipe('channels/prices/state'))) as Page;
    expect(events).toMatchObject([{ key: 'SLU', data: '{"name":"SLU","price":13}' }]);
    await terminal.until(recipe('events/prices?state'), 'data: {"name":"SLU","price":13}');
  });

  test('without a stream', async () => {
    const page = JSON.parse(await run(recipe('after=earliest'))) as Page;
    expect(page.events).toMatchObject([{ data: 'paid' }]);
    const publish = recipe('"orders.2"');
    const polled = run(recipe('events?wait=20s'));
    // The poll begins at the newest event: publishes until the poll has answered.
    do await run(publish);
    while (!(await Promise.race([polled.then(() => true), nextTurn(false)])));
    expect(JSON.parse(await polled)).toMatchObject({ events: [{ data: 'paid' }] });
    expect(await run(recipe('last=1&wait=10s'))).toContain('data: paid');
  });
});

describe('docs/recipes.md: look after it', () => {
  test('user 7 did not get event X, and what the broker is doing', async () => {
    const stream = await openStream(`${url}/events/orders.1`);
    await stream.until('sluice:ready');
    const about = await run(recipe('subscribers?sub=7'));
    expect(about).toContain('"subscribers":1');
    expect(about).toContain('"count":0');
    expect(about).toContain('"policy":');
    stream.close();
    const doing = await run(recipe('busiest=20'));
    expect(doing).toContain('{"channels":[{"channel":"orders.');
    expect(doing).toContain('"seconds":60');
    expect(doing).toContain('"SLUICE_PUBLISH_KEYS":"set"');
  });

  test('delete what belongs to a person', async () => {
    const { token } = JSON.parse(await run(recipe('{"sub":"7","subscribe"'))) as { token: string };
    const headers = { authorization: `Bearer ${token}` };
    const stream = await openStream(`${url}/events/user.7`, { headers });
    await stream.until('sluice:ready');
    await run(recipe('"user.1","user.2"').replace('user.2', 'user.7'));
    await run('sluice publish orders.7.1 paid');
    const answers = await run(recipe('"revoke":true'));
    expect(answers).toContain('deleted orders.7.1');
    expect(answers).toContain('204 No Content');
    expect(answers).toContain('"channel":"members"');
    expect(answers).toContain('"disconnected":1');
    await stream.until('sluice:cleared');
    await stream.until('sluice:closing');
    expect((await fetch(`${url}/events/user.7`, { headers })).status).toBe(401);
  });

  test('change a key, keep more of one channel', async () => {
    await stopBroker();
    const stopWithKeys = await terminal.serve(recipe('demo-key,new-key'));
    const answers = await run(recipe('Bearer new-key'));
    expect(answers.match(/"channel":"news"/g)).toHaveLength(2);
    await stopWithKeys();

    const stopWithPolicy = await terminal.serve(recipe('"cursor.*"'));
    await run(`curl -H "Authorization: Bearer $(cat .publish-key)" -d hello $URL/publish/chat.7`);
    expect(await run(recipe('channels/chat.7'))).toContain('"size":5000');
    await stopWithPolicy();
  });

  test('two replicas without Docker', async () => {
    await Promise.all([terminal.serve(recipe('PORT=3001')), terminal.serve(recipe('PORT=3002'))]);
    await heardLive(recipe('localhost:3001'), 'data: hello', recipe('localhost:3002'));
  });
});
