import { expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import { openRaw, requestBytes } from '../../support/raw-http.ts';

/** Node keeps its handles back under its permission model. The broker then works over sockets. */
test('without the handles of Node, plain publishes and plain streams work over sockets', async () => {
  const allowed = ['fs-read=*', 'fs-write=*', 'worker', 'net'].map((what) => `--allow-${what}`);
  const broker = await startBroker({ NODE_OPTIONS: ['--permission', ...allowed].join(' ') });
  const reader = await openRaw(broker.port);
  reader.send(requestBytes({ method: 'GET', path: '/events/news' }));
  await reader.until('sluice:ready');
  const id = await broker.publish('news', 'over a socket');
  await reader.until(`id: ${id}\ndata: `);
  reader.close();
  expect(reader.text).toContain(`id: ${id}\ndata: over a socket\n\n`);
  await broker.kill();
});
