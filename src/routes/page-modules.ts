import { readFileSync, readdirSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance, FastifyReply } from 'fastify';

/** The sources of the client in a clone and in the image; the compiled client in the package `sluice`. */
const CLIENT = fileURLToPath(new URL('../../client/src', import.meta.url));
const PLOTS = ['uPlot.esm.js', 'uPlot.min.css'] as const;
/** A module of the client, as a page names it. The publisher's modules are for Node. */
const MODULE = /^[a-z][a-z-]*\.js$/;

/**
 * The modules that pages of the broker import, and that it does not have in its own folder: `@sluice/client` at
 * `/client/index.js`, and uPlot. A page of any other origin may import the client, too: a page without a build step then
 * needs nothing but the broker.
 */
export async function pageModules(app: FastifyInstance): Promise<void> {
  app.get<{ Params: { module: string } }>(
    '/client/:module',
    { exposeHeadRoute: true, config: { operation: null } },
    (request, reply) => {
      const { module } = request.params;
      const code = clientModules().get(module);
      if (code === undefined) {
        reply.callNotFound();
        return reply;
      }
      return sendForAnyOrigin(reply, code);
    },
  );
  const folder = fileURLToPath(new URL('.', import.meta.resolve('uplot/dist/uPlot.esm.js')));
  for (const file of PLOTS)
    app.get(`/uplot/${file}`, { exposeHeadRoute: true, config: { operation: null } }, (_request, reply) =>
      reply.sendFile(file, folder),
    );
}

function sendForAnyOrigin(reply: FastifyReply, code: Buffer): FastifyReply {
  return reply
    .header('cache-control', 'no-cache')
    .header('access-control-allow-origin', '*')
    .header('cross-origin-resource-policy', 'cross-origin')
    .header('content-type', 'text/javascript; charset=utf-8')
    .send(code);
}

let cachedModules: Map<string, Buffer> | undefined;

/** All modules of the client as JavaScript, by their names. Made at the first request: most brokers never need them. */
function clientModules(): Map<string, Buffer> {
  cachedModules ??= new Map(
    readdirSync(CLIENT)
      .filter((file) => MODULE.test(file.replace(/\.ts$/, '.js')) && !file.startsWith('publisher'))
      .map((file) => [basename(file).replace(/\.ts$/, '.js'), Buffer.from(javaScriptOf(join(CLIENT, file)))]),
  );
  return cachedModules;
}

function javaScriptOf(path: string): string {
  const source = readFileSync(path, 'utf8');
  if (path.endsWith('.js')) return source;
  return stripTypeScriptTypes(source).replaceAll(/(?<= from '\.\/[a-z-]+)\.ts(?=';)/g, '.js');
}
