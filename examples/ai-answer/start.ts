import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { createBackend } from './backend.ts';
import { Broker, startBroker } from './broker.ts';
import { mockModel } from './mock-model.ts';

/** Makes one file of the page and of the packages that it uses. */
async function bundlePage(): Promise<string> {
  const bundle = await rolldown({
    input: fileURLToPath(new URL('page.tsx', import.meta.url)),
    platform: 'browser',
    logLevel: 'silent',
    transform: { define: { 'process.env.NODE_ENV': '"production"' } },
  });
  const { output } = await bundle.generate({ format: 'esm', minify: true });
  await bundle.close();
  return output[0].code;
}

const script = await bundlePage();
const server = createServer().listen(Number(process.env['PORT'] ?? 0), '127.0.0.1');
await once(server, 'listening');
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const { SLUICE_URL, SLUICE_KEY = '' } = process.env;
const broker = SLUICE_URL === undefined ? await startBroker(origin) : new Broker(SLUICE_URL, SLUICE_KEY);
server.on('request', createBackend({ broker, model: mockModel, script }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0));

// One line of JSON, for programs that start the example.
console.log(JSON.stringify({ page: origin, broker: broker.url }));
