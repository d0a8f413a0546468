import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { documentShell } from '../support/document-shell.ts';
import { openStream } from '../support/sse-reader.ts';
import { Terminal } from '../support/terminal.ts';

const recipe = documentShell('docs/recipes.md', import.meta.filename);
const variables = recipe('URL=http');

let broker: Broker;
let terminal: Terminal;
beforeAll(async () => {
  broker = await startBroker();
  terminal = new Terminal({ first: variables, replace: [['http://localhost:3000', broker.url]] });
  writeFileSync(join(terminal.folder, '.publish-key'), broker.key);
});
afterEach(() => terminal.killAll());
afterAll(async () => {
  await broker.stop();
  terminal.remove();
});

const run = (lines: string): Promise<string> => terminal.run(lines);

describe('the command lines of docs/recipes.md', () => {
  test('several channels on one connection', async () => {
    const listening = terminal.until(recipe('channel=chat.7'), 'data: hello');
    const publish = recipe('$URL/publish/chat.7');
    // The stream begins live: publishes until it has come.
    const heard = listening.then(() => true);
    do expect(await run(publish)).toContain('"id"');
    while (!(await Promise.race([heard, nextTurn(false)])));
  });

  test('one event on several channels', async () => {
    expect(JSON.parse(await run(recipe('"user.3"')))).toMatchObject({
      events: [{ channel: 'user.1' }, { channel: 'user.2' }, { channel: 'user.3' }],
    });
    expect(JSON.parse(await run(recipe('"channels":"*"')))).toMatchObject({ complete: true });
  });

  test('many events in one request, also twice with a key', async () => {
    expect(JSON.parse(await run(recipe('[{"channel":"orders.42"')))).toMatchObject({
      events: [{ channel: 'orders.42' }, { channel: 'orders.42' }, { channel: 'news' }],
    });
    const answer = JSON.parse(await run(recipe('application/x-ndjson'))) as { events: unknown[] };
    expect(answer.events).toHaveLength(1_000);
    const first = await run(recipe('import-1'));
    expect(JSON.parse(first)).toMatchObject({ events: [{ channel: 'orders.43' }, { channel: 'orders.43' }] });
    expect(await run(recipe('import-1'))).toBe(first);
  });

  test('a file, or the output of a program, as events', async () => {
    expect(JSON.parse(await run(recipe('seq 1 50000')))).toMatchObject({ published: 50_000 });
    const stream = await openStream(`${broker.url}/events/clock`);
    await stream.until('sluice:ready');
    terminal.start(recipe('do date'));
    expect((await stream.next()).data).toMatch(/\d\d:\d\d:\d\d/);
    stream.close();
  });

  test('an answer of a model', async () => {
    const listening = run(recipe('events/answer.1?last_event_id=earliest'));
    expect(JSON.parse(await run(recipe('An answer comes word by word')))).toMatchObject({ published: 6 });
    const heard = await listening;
    expect(heard).toContain('data: answer\n');
    expect(heard).toContain('event: sluice:end\n');
    expect(JSON.parse(await run(recipe('publish/answer.2')))).toMatchObject({ published: 2 });
    expect(await run(recipe('only=active'))).toContain('204 No Content');
  });

  test('the end of a channel, and a new beginning', async () => {
    const answers = await run(recipe('game.8'));
    expect(answers).toContain('"channel":"game.7"');
    expect(answers).toContain('"channel":"game.8"');
    expect(await run(recipe('DELETE'))).toContain('204 No Content');
  });

  test('publish only if nothing came in between', async () => {
    expect(await run(recipe('ifLast'))).toContain('"channel":"document.1"');
    expect(await run(recipe('If-Match'))).toContain('urn:sluice:problem:tail-mismatch');
  });

  test('the newest value of each key', async () => {
    expect(await run(recipe('"key":"SLU","data"'))).toContain('"channel":"prices"');
    await terminal.until(recipe('events/prices?state'), 'event: sluice:ready');
    await run(recipe('"delete":true'));
    const { events } = JSON.parse(await run(recipe('channels/prices/state'))) as { events: unknown[] };
    expect(events).toMatchObject([{ key: 'SLU', data: '{"name":"SLU","price":13}' }]);
  });

  test('read a channel without a stream', async () => {
    await broker.publish('orders.42', 'paid');
    const page = JSON.parse(await run(recipe('orders.42/events?after=earliest'))) as { events: unknown[] };
    expect(page.events.length).toBeGreaterThan(0);
    const polled = run(recipe('wait=20s')).then((text) => JSON.parse(text) as { events: unknown[] });
    // The poll begins at the newest event: publishes until the poll has answered.
    do await broker.publish('orders.42', 'packed');
    while (!(await Promise.race([polled.then(() => true), nextTurn(false)])));
    expect((await polled).events[0]).toMatchObject({ data: 'packed' });
  });

  test('a stream for clients that take every event for data', async () => {
    const id = await broker.publish('plain', 'hello');
    const lines = recipe('plain&last_event_id').replace('answer.2', 'plain');
    await terminal.until(lines, `id: ${id}\ndata: hello`);
  });

  test('see what the broker is doing', async () => {
    await broker.publish('orders.42', 'paid');
    const stream = await openStream(`${broker.url}/events/orders.42`);
    await stream.until('sluice:ready');
    const about = await run(recipe('?prefix=orders.'));
    expect(about).toContain('{"channels":[{"channel":"orders.4');
    expect(about).toContain('"subscribers":1');
    expect(about).toContain('"count":1');
    expect(about).toContain('"count":0');
    stream.close();
    const busy = await run(recipe('busiest=20'));
    expect(busy).toContain('"seconds":60');
    expect(busy).toContain('"SLUICE_PUBLISH_KEYS":"set"');
  });
});
