// What the backends of the examples have in common: each serves a page, publishes, and gets tokens for its page. The page comes
// from another origin than the broker, and never gets the publish key.
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import { createPublisher } from '@sluice/client/publisher';
import fastify from 'fastify';

const { SLUICE_KEY = '', PORT = '8080' } = process.env;
export const { SLUICE_URL = 'http://localhost:3000' } = process.env;

export const publisher = createPublisher({ url: SLUICE_URL, key: SLUICE_KEY });

/** Returns an application that serves `page.html` of the folder, its modules, and the client, which the import map names. */
export async function createApp(folder) {
  const app = fastify();
  // A browser also sends what pages of other origins post. Programs do not send this header.
  app.addHook('onRequest', async ({ method, headers }, reply) => {
    const { 'sec-fetch-site': from = 'same-origin' } = headers;
    if (method !== 'GET' && from !== 'same-origin') return reply.code(403).send();
  });
  // What went wrong inside is for the console of the backend alone: it may name a secret.
  app.setErrorHandler((error, _request, reply) => {
    const { statusCode = 500 } = error;
    if (statusCode < 500) return reply.send(error);
    console.error(error.message);
    return reply.code(statusCode).send({ message: 'The backend has failed.' });
  });
  const client = dirname(fileURLToPath(import.meta.resolve('@sluice/client')));
  await app.register(fastifyStatic, {
    root: import.meta.dirname,
    // Pages, their modules and their styles. Modules for Node end in .mjs.
    allowedPath: (path) => /\.(html|js|css)$/.test(path),
    cacheControl: false,
  });
  await app.register(fastifyStatic, {
    root: client,
    prefix: '/client/',
    decorateReply: false,
    cacheControl: false,
  });
  app.get('/', (_request, reply) => reply.sendFile(`${basename(folder)}/page.html`));
  app.get('/broker', () => SLUICE_URL);
  return app;
}

/** Listens on this machine alone. */
export async function listen(app) {
  await app.listen({ host: 'localhost', port: Number(PORT) });
}

/** Asks the broker for a token, such as `{ subscribe: ['news'] }`. The token lives for an hour. */
export async function createToken(grants) {
  const answer = await askBroker('/tokens', { method: 'POST', body: JSON.stringify(grants) });
  return answer.token;
}

/** Sends a request with the publish key to the broker, and returns the JSON of the answer. */
export async function askBroker(path, { method = 'GET', body } = {}) {
  const response = await fetch(SLUICE_URL + path, {
    method,
    headers: {
      authorization: `Bearer ${SLUICE_KEY}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    body,
  });
  if (!response.ok) throw new Error(`The broker answered ${response.status}: ${await response.text()}`);
  return await response.json();
}
