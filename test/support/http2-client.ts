import { once } from 'node:events';
import { connect } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { createParser } from 'eventsource-parser';
import type { EventSourceMessage } from 'eventsource-parser';

/** One HTTP/2 connection. */
export interface Http2Client {
  /** The negotiated protocol: `h2`. */
  readonly protocol: string | undefined;
  /** Opens an event stream on the connection. */
  stream(path: string): Promise<Http2Stream>;
  /** Publishes on the connection and returns the answer's body. Throws for any status but 200. */
  post(path: string, body: string, key: string): Promise<string>;
  close(): void;
}

interface Http2Stream {
  /** Resolves with the first event of this type (`message` for events without a type). */
  received(type: string): Promise<EventSourceMessage>;
}

/** Connects to `origin` and accepts any certificate. */
export async function openHttp2(origin: string): Promise<Http2Client> {
  const session = connect(origin, { rejectUnauthorized: false });
  await once(session, 'connect');
  return {
    protocol: session.alpnProtocol,
    async stream(path) {
      const stream = session.request({ ':path': path });
      await untilOk(stream);
      return receiving(stream);
    },
    post: (path, body, key) => post(session, path, body, key),
    close: () => session.destroy(),
  };
}

async function post(session: ClientHttp2Session, path: string, body: string, key: string): Promise<string> {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    authorization: `Bearer ${key}`,
    // Browsers and curl send it; some proxies refuse a body of unknown length.
    'content-length': Buffer.byteLength(body),
  });
  stream.end(body);
  await untilOk(stream);
  let answer = '';
  for await (const chunk of stream.setEncoding('utf8')) answer += String(chunk);
  return answer;
}

async function untilOk(stream: ClientHttp2Stream): Promise<void> {
  const [headers] = (await once(stream, 'response')) as [{ readonly ':status'?: number }];
  if (headers[':status'] !== 200) throw new Error(`answered with ${headers[':status']}`);
}

function receiving(stream: ClientHttp2Stream): Http2Stream {
  const events: EventSourceMessage[] = [];
  const waiting = new Set<() => void>();
  const parser = createParser({ onEvent: (event) => events.push(event) });
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    parser.feed(chunk);
    for (const check of waiting) check();
  });
  // The test may close the session while the stream is open.
  stream.on('error', () => undefined);
  return {
    received: (type) =>
      new Promise((resolve) => {
        const check = (): void => {
          const event = events.find((one) => (one.event ?? 'message') === type);
          if (event === undefined) return;
          waiting.delete(check);
          resolve(event);
        };
        waiting.add(check);
        check();
      }),
  };
}
