import { once } from 'node:events';
import { request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { connect } from 'node:http2';
import type { ClientHttp2Stream } from 'node:http2';
import { expect, test } from 'vitest';
import type { Edge, EdgeOptions } from '../support/edge.ts';
import { edgeTraits } from '../support/edge-programs.ts';
import type { EdgeName } from '../support/edge-programs.ts';
import { startPageServer } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';
import { openRaw, requestBytes } from '../support/raw-http.ts';
import { openStream } from '../support/sse-reader.ts';

const UPLOAD = '/publish/news?each=line';

type Upload = ClientRequest | ClientHttp2Stream;

function overHttp1({ url }: Edge): Upload {
  return request(`${url}${UPLOAD}`, { method: 'POST', agent: false });
}

function overHttp2({ secureUrl }: Edge): Upload {
  const session = connect(secureUrl, { rejectUnauthorized: false });
  return session.request({ ':method': 'POST', ':path': UPLOAD }).on('close', () => session.destroy());
}

/** What a proxy does to requests and streams, as seen by a replica that the test scripts. */
export function scriptedContract(
  name: EdgeName,
  start: (options: Partial<EdgeOptions>) => Promise<Edge>,
): void {
  const { tellsLoss, http2Uploads } = edgeTraits[name];
  const startBefore = async ({ origin }: PageServer): Promise<Edge> => {
    const { host, port } = new URL(origin);
    return await start({ replicas: [host, host], adminPort: Number(port) });
  };

  test("a publish has its client's address, and not the address that the client claims", async () => {
    const seen: IncomingMessage['headers'][] = [];
    const listener = await startPageServer((incoming, response) => {
      if (incoming.method === 'POST') seen.push(incoming.headers);
      response.end();
    });
    const recorded = await startBefore(listener);
    await fetch(`${recorded.url}/publish/news`, {
      method: 'POST',
      headers: { 'x-forwarded-for': '203.0.113.9', authorization: 'Bearer key', 'idempotency-key': 'once' },
      body: 'hello',
    });
    await listener.close();
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      authorization: 'Bearer key',
      'idempotency-key': 'once',
    });
  });
  test('the end of a stream reaches the client as an end, and a lost connection as a loss', async () => {
    const lost = new AbortController();
    const listener = await startPageServer((incoming, response) => {
      if (incoming.url?.startsWith('/events/') !== true) {
        response.end();
        return;
      }
      response.setHeader('content-type', 'text/event-stream').write('data: first\n\n');
      if (incoming.url.endsWith('.whole')) {
        response.end('data: last\n\n');
        return;
      }
      lost.signal.addEventListener('abort', () => incoming.socket.destroy());
    });
    const recorded = await startBefore(listener);
    const whole = await openStream(`${recorded.url}/events/news.whole`);
    await whole.ended;
    const cut = await openStream(`${recorded.url}/events/news.cut`);
    await cut.next();
    lost.abort();
    await cut.ended;
    await listener.close();
    expect(whole.events.map(({ data }) => data)).toEqual(['first', 'last']);
    expect({ whole: whole.complete, cut: cut.complete }).toEqual({ whole: true, cut: !tellsLoss });
  });

  test('a request after a stream on its connection goes through the proxy, too', async () => {
    const seen: IncomingMessage['headers'][] = [];
    const listener = await startPageServer((incoming, response) => {
      if (incoming.headers['idempotency-key'] !== undefined) seen.push(incoming.headers);
      response.end();
    });
    const recorded = await startBefore(listener);
    const connection = await openRaw(Number(new URL(recorded.url).port));
    const stream = { path: '/events/news', headers: ['Idempotency-Key: stream'] };
    const next = {
      method: 'POST',
      path: '/publish/news',
      headers: [
        'X-Forwarded-For: 203.0.113.9',
        'Idempotency-Key: next',
        'Content-Length: 0',
        'Connection: close',
      ],
    };
    connection.send(Buffer.concat([requestBytes(stream), requestBytes(next)]));
    await connection.ended;
    await listener.close();
    expect(seen.map((headers) => headers['x-forwarded-for'])).toEqual(seen.map(() => '127.0.0.1'));
    expect(seen[0]).toMatchObject({ 'idempotency-key': 'stream' });
  });

  test('a DELETE reaches the replica with its credential, and the answer that a channel has ended its reader', async () => {
    const seen: IncomingMessage[] = [];
    const listener = await startPageServer((incoming, response) => {
      if (incoming.method === 'DELETE') seen.push(incoming);
      // The other requests are the proxy's own health checks.
      response.writeHead(/news/.test(incoming.url ?? '') ? 204 : 200).end();
    });
    const recorded = await startBefore(listener);
    const headers = { authorization: 'Bearer key' };
    const answers = await Promise.all([
      fetch(`${recorded.url}/channels/news`, { method: 'DELETE', headers }),
      fetch(`${recorded.url}/events/news`),
      fetch(`${recorded.url}/events?channel=news`),
    ]);
    await listener.close();
    expect(answers.map(({ status }) => status)).toEqual([204, 204, 204]);
    expect(seen).toMatchObject([{ url: '/channels/news', headers }]);
  });

  test('an upload of any length reaches the replica whole', async () => {
    const listener = await startPageServer((incoming, response) => {
      let bytes = 0;
      incoming.on('data', (chunk: Buffer) => (bytes += chunk.length));
      incoming.on('end', () => response.end(`${incoming.url} ${bytes}`));
    });
    const recorded = await startBefore(listener);
    const upload = request(`${recorded.url}${UPLOAD}`, { method: 'POST', agent: false });
    // In two parts, so that Node sends chunks, as curl does with a pipe.
    upload.write(Buffer.alloc(3 << 19, 'line\n'));
    upload.end(Buffer.alloc(3 << 19, 'line\n'));
    const [answer] = (await once(upload, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of answer.setEncoding('utf8')) text += String(chunk);
    await listener.close();
    expect(text).toBe(`${UPLOAD} ${3 << 20}`);
  });

  test.each<[protocol: string, send: (edge: Edge) => Upload]>([
    ['HTTP/1.1', overHttp1],
    ...(http2Uploads ? [['HTTP/2', overHttp2] as [string, typeof overHttp2]] : []),
  ])('an upload over %s reaches the replica while it is sent', async (_protocol, send) => {
    const parts: string[] = [];
    const more = new Set<() => void>();
    const listener = await startPageServer((incoming, response) => {
      incoming.setEncoding('utf8').on('data', (text: string) => {
        parts.push(text);
        for (const check of more) check();
      });
      incoming.on('end', () => response.end('published'));
    });
    const received = (text: string): Promise<void> =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!parts.join('').endsWith(text)) return;
          more.delete(check);
          resolve();
        };
        more.add(check);
        check();
      });
    const upload = send(await startBefore(listener));
    const answered = once(upload, 'response');
    for (const line of ['one\n', 'two\n', 'three\n']) {
      upload.write(line);
      await received(line);
    }
    upload.end();
    const [answer] = (await answered) as [{ readonly statusCode?: number; readonly ':status'?: number }];
    upload.destroy();
    await listener.close();
    expect(answer.statusCode ?? answer[':status']).toBe(200);
    expect(parts.join('')).toBe('one\ntwo\nthree\n');
  });
}
