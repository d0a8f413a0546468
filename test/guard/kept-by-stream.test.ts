import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { Inspector } from '../support/inspector.ts';
import { requestBytes } from '../support/raw-http.ts';

/** What an open stream keeps on the heap after a collection, so that V8's reserve is not measured. */

const WARM_UP = 500;
const STREAMS = 2_000;
/** In bytes. It is 1,200 to 1,400. */
const MOST = 1_700;
/** The most bytes that a stream with gzip keeps beyond one without. */
const MOST_CODED = 256;

let broker: Broker;
afterEach(() => broker.kill());

async function open(count: number, headers: readonly string[], head: string): Promise<void> {
  for (let i = 0; i < count; i += 100) {
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        const socket = connect(broker.port, '127.0.0.1');
        socket.on('error', () => undefined);
        await once(socket, 'connect');
        socket.write(requestBytes({ path: '/events/news', headers }));
        const [first] = (await once(socket, 'data')) as [Buffer];
        expect(first.toString('latin1')).toContain(head);
        socket.resume();
      }),
    );
  }
}

test('a stream keeps little, and one with gzip hardly more', async () => {
  broker = await startBroker({ NODE_OPTIONS: '--inspect=127.0.0.1:0' });
  const inspector = await Inspector.of(broker);
  const keptBy = async (headers: readonly string[], head: string): Promise<number> => {
    await open(WARM_UP, headers, head);
    const before = await inspector.heapInUse();
    await open(STREAMS, headers, head);
    return ((await inspector.heapInUse()) - before) / STREAMS;
  };
  const plain = await keptBy([], '200 OK');
  const coded = await keptBy(['Accept-Encoding: gzip'], 'content-encoding: gzip');
  inspector.close();
  expect(plain).toBeLessThan(MOST);
  expect(coded - plain).toBeLessThan(MOST_CODED);
});
