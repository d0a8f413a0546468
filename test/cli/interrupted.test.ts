import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { startOnTerminal, startSluice } from '../support/started-program.ts';

const CTRL_C = '\u0003';

let broker: Broker;
let silent: Server;
let silentUrl: string;

beforeAll(async () => {
  broker = await startBroker();
  // Takes connections, and says nothing.
  silent = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  silentUrl = `http://127.0.0.1:${(silent.address() as { port: number }).port}`;
});

afterAll(async () => {
  silent?.close();
  await broker?.stop();
});

describe('Ctrl-C', () => {
  test.each([
    'channels',
    'channel orders.1',
    'top',
    'who orders.1',
    'status',
    'delete --yes orders.1',
    'token mint --admin --key k',
    'disconnect --channel orders.1',
    'bench',
  ])('ends "%s" with 130 while it waits for an answer', async (line) => {
    const connected = once(silent, 'connection');
    const command = startSluice(line.split(' '), {
      SLUICE_URL: silentUrl,
      SLUICE_KEY: 'k',
    });
    await connected;
    command.child.kill('SIGINT');
    expect(await command.end()).toEqual({ code: 130, output: '' });
  });

  test('ends "bench" with 130, and says what was published', async () => {
    const env = { SLUICE_URL: broker.url, SLUICE_KEY: broker.key };
    const command = startOnTerminal('bench --seconds 60 --subscribers 5', env);
    await command.until('publishing for 60 s');
    command.child.stdin.write(CTRL_C);
    const { code, output } = await command.end();
    expect(code).toBe(130);
    expect(output).toMatch(/\d events? published, [\d,]+ delivered to subscribers\./);
  });

  test('ends "top" with 130, and gives back the screen and the cursor', async () => {
    await broker.publish('news', 'one');
    const command = startOnTerminal('top', { SLUICE_URL: broker.url, SLUICE_KEY: broker.key });
    await command.until('news');
    command.child.stdin.write(CTRL_C);
    const { code, output } = await command.end();
    expect(code).toBe(130);
    expect(output).toContain('\u001b[?1049h');
    expect(output.replace('^C', '')).toMatch(
      new RegExp(`${RegExp.escape('\u001b[?7h\u001b[?25h\u001b[?1049l')}$`),
    );
  });
});

describe('sluice delete on a terminal', () => {
  test('asks, and deletes nothing without a yes', async () => {
    await broker.publish('orders.1', 'kept');
    const command = startOnTerminal('delete orders.1', { SLUICE_URL: broker.url, SLUICE_KEY: broker.key });
    await command.until('Delete all events of "orders.1"? [y/N]');
    command.child.stdin.write('n\n');
    const { code, output } = await command.end();
    expect(code).toBe(1);
    expect(output).toContain('Nothing was deleted.');
  });

  test('deletes after a yes', async () => {
    await broker.publish('orders.2', 'gone');
    const command = startOnTerminal('delete orders.2', { SLUICE_URL: broker.url, SLUICE_KEY: broker.key });
    await command.until('[y/N]');
    command.child.stdin.write('y\n');
    const { code, output } = await command.end();
    expect(code).toBe(0);
    expect(output).toContain('deleted orders.2');
  });

  test('ends with 130 at Ctrl-C', async () => {
    const command = startOnTerminal('delete orders.1', { SLUICE_URL: broker.url, SLUICE_KEY: broker.key });
    await command.until('[y/N]');
    command.child.stdin.write(CTRL_C);
    expect(await command.end()).toMatchObject({ code: 130 });
  });
});
