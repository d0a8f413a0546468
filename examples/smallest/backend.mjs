import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const { SLUICE_URL, SLUICE_KEY, PORT } = process.env;
const page = readFileSync(new URL('page.html', import.meta.url), 'utf8').replaceAll('{broker}', SLUICE_URL);
createServer((_request, response) => response.setHeader('content-type', 'text/html').end(page)).listen(
  PORT,
  '127.0.0.1',
);
const headers = { authorization: `Bearer ${SLUICE_KEY}` };
setInterval(
  () =>
    fetch(`${SLUICE_URL}/publish/clock`, { method: 'POST', headers, body: new Date().toISOString() }).catch(
      console.error,
    ),
  1_000,
);
