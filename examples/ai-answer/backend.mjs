import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { Broker } from './broker.ts';
import { createChatBackend } from './chat-backend.ts';
import { mockModel } from './mock-model.ts';

const { SLUICE_URL = 'http://localhost:3000', SLUICE_KEY = '', PORT = '8080' } = process.env;

/** Makes one file of the page and of the packages that it uses. */
async function bundlePage() {
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

const backend = createChatBackend({
  broker: new Broker(SLUICE_URL, SLUICE_KEY),
  model: mockModel,
  script: await bundlePage(),
});
await once(createServer(backend).listen(Number(PORT), 'localhost'), 'listening');
