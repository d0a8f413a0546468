import { once } from 'node:events';
import { connect } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { createAuthority } from '../../support/certificates.ts';
import { uploaded } from '../../support/upload.ts';

const answerOf = async (stream: ClientHttp2Stream): Promise<{ status: number; body: string }> => {
  let status = 0;
  stream.once('response', (head) => (status = Number(head[':status'])));
  let body = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
  await once(stream, 'close');
  return { status, body };
};

describe('over HTTP/2', () => {
  const { cert, key } = createAuthority().issue();
  let broker: Broker;
  let session: ClientHttp2Session;
  beforeAll(async () => {
    broker = await startBroker({ SLUICE_TLS_CERT: cert, SLUICE_TLS_KEY: key });
    session = connect(broker.url, { rejectUnauthorized: false });
  });
  afterAll(async () => {
    session.destroy();
    await broker.kill();
  });

  const open = (path: string): ClientHttp2Stream =>
    session.request({ ':method': 'POST', ':path': path, authorization: `Bearer ${broker.key}` });
  const events = async (channel: string, length: number): Promise<string[]> => {
    const stream = session.request({ ':path': `/events/${channel}?last_event_id=earliest` });
    let text = '';
    for await (const chunk of stream.setEncoding('utf8')) {
      text += String(chunk);
      if (text.includes('sluice:ready')) break;
    }
    stream.destroy();
    const data = [...text.matchAll(/^id: .*\ndata: (.*)$/gm)].map(([, one = '']) => one);
    expect(data).toHaveLength(length);
    return data;
  };

  test('an upload is published as it arrives', async () => {
    const stream = open('/publish/h2?each=line');
    stream.write('a\nb\n');
    await expect.poll(() => events('h2', 2)).toEqual(['a', 'b']);
    stream.end('c');
    expect(uploaded(await answerOf(stream)).published).toBe(3);
    expect(await events('h2', 3)).toEqual(['a', 'b', 'c']);
  });

  test('a fault is answered before the upload ends', async () => {
    const stream = open('/publish/h2.faulty?each=line');
    stream.on('error', () => undefined);
    stream.write('a\n\0\n');
    const { status, body } = await answerOf(stream);
    expect([status, JSON.parse(body)]).toEqual([400, expect.objectContaining({ published: 1 })]);
  });

  test('an upload that is reset leaves its complete lines, and does not end the channel', async () => {
    const stream = open('/publish/h2.cut?each=line&close=true');
    stream.on('error', () => undefined);
    stream.write('a\nhalf');
    await expect.poll(() => events('h2.cut', 1)).toEqual(['a']);
    stream.destroy(new Error('cut'));
    const next = open('/publish/h2.cut?each=line&close=true');
    next.end('b');
    expect(uploaded(await answerOf(next)).published).toBe(1);
    expect(await events('h2.cut', 2)).toEqual(['a', 'b']);
  });

  test('a list is published in order', async () => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/publish',
      authorization: `Bearer ${broker.key}`,
      'content-type': 'application/json',
    });
    stream.end(JSON.stringify(Array.from({ length: 500 }, (_, i) => ({ channel: 'h2.list', data: i }))));
    expect((await answerOf(stream)).status).toBe(200);
    expect(await events('h2.list', 500)).toEqual(Array.from({ length: 500 }, (_, i) => String(i)));
  });
});
