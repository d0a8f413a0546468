import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { runSluice } from '../support/run-program.ts';
import type { ProgramOptions, ProgramResult } from '../support/run-program.ts';
import { openStream } from '../support/sse-reader.ts';

const SECRET = 'a-secret-of-the-tests-with-more-than-32-bytes';

let broker: Broker;

beforeAll(async () => {
  broker = await startBroker({ SLUICE_JWT_SECRET: SECRET, SLUICE_PUBLIC_CHANNELS: 'public.*' });
});

afterAll(async () => {
  await broker?.stop();
});

function sluice(line: string, options: ProgramOptions = {}): Promise<ProgramResult> {
  return runSluice(line.split(' '), { ...options, env: { SLUICE_URL: broker.url, SLUICE_KEY: broker.key } });
}

describe('sluice delete', () => {
  test('deletes channels without asking, with --yes', async () => {
    await broker.publish('orders.1', 'one');
    await broker.publish('orders.2', 'two');
    expect(await sluice('delete --yes orders.1 orders.2', { input: '' })).toEqual({
      code: 0,
      stdout: 'deleted orders.1\ndeleted orders.2\n',
      stderr: '',
    });
  });

  test('fails when there is nothing to delete, after deleting the others', async () => {
    await broker.publish('orders.3', 'three');
    const { code, stdout, stderr } = await sluice('delete --yes --json unused orders.3');
    expect(stdout).toBe('{"channel":"unused","deleted":false}\n{"channel":"orders.3","deleted":true}\n');
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'sluice: There is nothing to delete in unused.\n' });
  });

  test('needs --yes when nobody can be asked', async () => {
    await broker.publish('orders.4', 'four');
    expect(await sluice('delete orders.4', { input: 'y\n' })).toMatchObject({ code: 2, stdout: '' });
    expect(await sluice('delete --yes orders.4')).toMatchObject({ code: 0 });
  });
});

describe('sluice disconnect', () => {
  test('ends the streams of a channel', async () => {
    const reader = await openStream(`${broker.url}/events/public.1`);
    await reader.until('sluice:ready');
    const { code, stdout } = await sluice('disconnect --channel public.1');
    await reader.ended;
    expect({ code, stdout }).toEqual({ code: 0, stdout: '1 stream on 1 replica ended\n' });
    expect(reader.events.at(-1)?.event).toBe('sluice:closing');
  });

  test('revokes tokens', async () => {
    const { stdout: token } = await sluice('token mint --subscribe orders.* --sub user-7');
    const headers = { authorization: `Bearer ${token.trim()}` };
    const before = await openStream(`${broker.url}/events/orders.1`, { headers });
    await before.until('sluice:ready');
    const { stdout } = await sluice('disconnect --sub user-7 --revoke --json');
    expect(JSON.parse(stdout)).toMatchObject({ disconnected: 1, complete: true });
    await before.ended;
    const after = await openStream(`${broker.url}/events/orders.1`, { headers });
    expect(after.status).toBe(401);
  });

  test('needs a channel or a subject', async () => {
    expect(await sluice('disconnect')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'sluice: Say whose streams to end: --channel, --sub, or both.\n',
    });
  });
});

describe('sluice token mint, at the broker', () => {
  test('prints a token that the broker accepts, and nothing else', async () => {
    const { code, stdout, stderr } = await sluice('token mint --subscribe orders.* --ttl 5m');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const headers = { authorization: `Bearer ${stdout.trimEnd()}` };
    const reader = await openStream(`${broker.url}/events/orders.9`, { headers });
    expect(reader.status).toBe(200);
    reader.close();
  });

  test('prints the answer as JSON', async () => {
    const { stdout } = await sluice('token mint --admin --ttl 60s --json');
    const { token, expires } = JSON.parse(stdout) as { token: string; expires: number };
    expect(token.split('.')).toHaveLength(3);
    expect(expires).toBeLessThanOrEqual(Date.now() / 1_000 + 60);
  });
});
