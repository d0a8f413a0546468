import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { DetailedPeerCertificate } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { createAuthority } from '../../support/certificates.ts';
import { startHeld } from '../../support/held-start.ts';
import { openRaw } from '../../support/raw-http.ts';
import { openStream } from '../../support/sse-reader.ts';
import { trustAuthority } from '../../support/trust-authority.ts';
import { readClosing } from '../../support/closing.ts';
import { PROGRAM, startProgram } from '../../support/started-program.ts';

const authority = createAuthority();
const identity = authority.issue();
const TLS = { SLUICE_TLS_CERT: identity.cert, SLUICE_TLS_KEY: identity.key };

let folder: string;
let broker: Broker | undefined;
beforeAll(async () => {
  trustAuthority(authority);
  folder = await mkdtemp(join(tmpdir(), 'sluice-tls-'));
});
afterEach(async () => {
  await broker?.kill();
  broker = undefined;
});
afterAll(() => rm(folder, { recursive: true }));

/** The serial number of the certificate that a new connection gets. */
async function shownBy({ port }: Broker): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate() as DetailedPeerCertificate;
  socket.destroy();
  return serialNumber;
}

describe('over HTTP/1.1 with TLS', () => {
  test('a stream has its events in order, resumes, and ends after whole events', async () => {
    broker = await startBroker(TLS);
    expect(broker.url).toMatch(/^https:/);
    const stream = await openStream(`${broker.url}/events/news`);
    await stream.until('sluice:ready');
    const ids: string[] = [];
    for (let n = 0; n < 50; n++) ids.push(await broker.publish('news', n));
    await stream.when(({ events }) => events.length === 51);
    expect(stream.events.slice(1).map(({ id }) => id)).toEqual(ids);

    const resumed = await openStream(`${broker.url}/events/news`, {
      headers: { 'last-event-id': ids[40] as string },
    });
    const missed = await resumed.until('sluice:ready');
    expect(missed.map(({ id }) => id)).toEqual([...ids.slice(41), ids[49]]);

    expect(await broker.stop()).toEqual({ code: 0, signal: null });
    await stream.ended;
    expect(readClosing(stream.text).reason).toBe('draining');
  });

  test('a client that does not speak TLS gets no answer', async () => {
    broker = await startBroker(TLS);
    const plain = await openRaw(broker.port);
    plain.send('GET /livez HTTP/1.1\r\nHost: a\r\n\r\n');
    await plain.ended;
    expect(plain.text).not.toContain('HTTP/');
    expect(await (await fetch(`${broker.url}/livez`)).json()).toEqual({ status: 'live' });
  });

  test('malformed HTTP is answered with a problem document, as without TLS', async () => {
    broker = await startBroker(TLS);
    const socket = connect({ port: broker.port, host: '127.0.0.1' });
    socket.setEncoding('utf8').write('NOT HTTP AT ALL\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [string];
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nContent-Type: application\/problem\+json/);
    socket.destroy();
  });

  test('the admin port has no TLS', async () => {
    broker = await startBroker({ ...TLS, SLUICE_ADMIN_PORT: '0' });
    expect(broker.adminUrl).toMatch(/^http:/);
    expect((await fetch(`${broker.adminUrl}/readyz`)).status).toBe(200);
  });
});

const check = async (env: Record<string, string>): Promise<number | null> => {
  const { code } = await startProgram(process.execPath, [PROGRAM, 'healthcheck'], env).end();
  return code;
};

describe('the health check speaks what the broker speaks', () => {
  test('TLS, also when the certificate is for another name', async () => {
    const { cert, key } = authority.issue(['broker.example']);
    const env = { SLUICE_TLS_CERT: cert, SLUICE_TLS_KEY: key };
    broker = await startBroker(env);
    expect(await check({ ...env, PORT: String(broker.port) })).toBe(0);
    expect(await check({ PORT: String(broker.port) })).toBe(1);
  });

  test('and plain HTTP on the admin port', async () => {
    broker = await startBroker({ ...TLS, SLUICE_ADMIN_PORT: '0' });
    const { port } = new URL(broker.adminUrl ?? '');
    expect(await check({ ...TLS, SLUICE_ADMIN_PORT: port })).toBe(0);
  });
});

describe('a certificate and its key', () => {
  test.each([
    [
      'that do not belong together',
      { ...TLS, SLUICE_TLS_KEY: authority.issue().key },
      'SLUICE_TLS_KEY is not the key',
    ],
    [
      'of which one is cut short',
      { ...TLS, SLUICE_TLS_KEY: identity.key.slice(0, 80) },
      'SLUICE_TLS_KEY is a hidden value; expected a private key in PEM',
    ],
    [
      'of which one is missing',
      { SLUICE_TLS_KEY: identity.key },
      'SLUICE_TLS_KEY is set without SLUICE_TLS_CERT',
    ],
  ])(
    '%s: the broker does not start, logs one line, and shows nothing of the key',
    async (_what, env, line) => {
      const failure: unknown = await startBroker(env).catch((error: unknown) => error);
      const [, ...said] = (failure as Error).message.split('\n');
      expect(said).toHaveLength(1);
      expect(said[0]).toContain(line);
      expect(said[0]).not.toContain(identity.key.split('\n')[1]);
    },
  );

  test('are reloaded at SIGHUP, and stay in use when the new ones cannot be read', async () => {
    const files = {
      SLUICE_TLS_CERT_FILE: join(folder, 'tls.crt'),
      SLUICE_TLS_KEY_FILE: join(folder, 'tls.key'),
    };
    const put = async ({ cert, key }: { cert: string; key: string }): Promise<void> => {
      await writeFile(files.SLUICE_TLS_CERT_FILE, cert);
      await writeFile(files.SLUICE_TLS_KEY_FILE, key);
    };
    await put(identity);
    broker = await startBroker(files);
    const stream = await openStream(`${broker.url}/events/news`);
    await stream.until('sluice:ready');
    const first = await shownBy(broker);

    await put({ ...authority.issue(), key: identity.key });
    process.kill(broker.pid, 'SIGHUP');
    expect(await broker.logged('keeping the old one')).toContain('SLUICE_TLS_KEY is not the key');
    expect(await shownBy(broker)).toBe(first);

    await put(authority.issue());
    process.kill(broker.pid, 'SIGHUP');
    await broker.logged('reloaded the TLS certificate');
    expect(await shownBy(broker)).not.toBe(first);
    const id = await broker.publish('news', 'still there');
    expect(await stream.next()).toMatchObject({ id });
  });

  test('are reloaded for a SIGHUP during the start', async () => {
    const files = {
      SLUICE_TLS_CERT_FILE: join(folder, 'early.crt'),
      SLUICE_TLS_KEY_FILE: join(folder, 'early.key'),
    };
    await writeFile(files.SLUICE_TLS_CERT_FILE, identity.cert);
    await writeFile(files.SLUICE_TLS_KEY_FILE, identity.key);
    const start = await startHeld(files);
    process.kill(start.pid, 'SIGHUP');
    broker = await start.go();
    await broker.logged('reloaded the TLS certificate');
  });
});
