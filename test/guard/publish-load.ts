import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';

/** A server with the route `/publish`. */
export interface PublishTarget {
  readonly port: number;
  readonly key: string;
}

const MOST_REFUSED = 10;

/** Publishes events on so many connections at once. Each event waits for the answer to the one before on its connection. */
export async function publishLoad(target: PublishTarget, connections: number, each: number): Promise<void> {
  await Promise.all(Array.from({ length: connections }, () => publishOneByOne(target, each)));
}

async function publishOneByOne({ port, key }: PublishTarget, count: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const body = JSON.stringify({ channel: 'news', data: 'x'.repeat(100) });
  const request =
    `POST /publish HTTP/1.1\r\nHost: broker.test\r\nAuthorization: Bearer ${key}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  let refused = 0;
  for (let i = 0; i < count; i++) {
    socket.write(request);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    const status = answer.toString('latin1', 0, 12);
    // A disk that other programs keep busy may need longer for a sync than a publish waits. As soon as that is noticed, the
    // broker refuses at once, so a publisher that did not wait would be refused again and again.
    if (status === 'HTTP/1.1 503' && refused++ < MOST_REFUSED) {
      i--;
      await delay(Number(/\nretry-after: (\d+)/i.exec(answer.toString('latin1'))?.[1]) * 1_000);
    } else {
      expect(status).toBe('HTTP/1.1 200');
    }
  }
  socket.destroy();
}
