import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance, FastifyReply } from 'fastify';

/** The sources of the client in a clone and in the image; the compiled client in the package `sluice`. */
const CLIENT = new URL('../../client/src/', import.meta.url);
/** A module of the client. The publisher's modules are left out: they are for Node. */
const MODULE = /^(?!publisher)([a-z-]+)\.[jt]s$/;
const PLOTS = ['uPlot.esm.js', 'uPlot.min.css'] as const;

interface PageModule {
  readonly code: Buffer;
  readonly etag: string;
}

/**
 * The modules that pages of the broker import, and that it does not have in its own folder: `@sluice/client` at
 * `/client/index.js`, and uPlot. A page of any other origin may import the client, too: a page without a build step then
 * needs nothing but the broker.
 */
export async function pageModules(app: FastifyInstance): Promise<void> {
  const client = new ClientModules();
  app.get<{ Params: { module: string } }>(
    '/client/:module',
    { exposeHeadRoute: true, config: { operation: null } },
    (request, reply) => {
      const found = client.find(request.params.module);
      if (found === undefined) {
        reply.callNotFound();
        return reply;
      }
      return sendForAnyOrigin(reply, found, request.headers['if-none-match']);
    },
  );
  const folder = fileURLToPath(new URL('.', import.meta.resolve('uplot/dist/uPlot.esm.js')));
  for (const file of PLOTS)
    app.get(`/uplot/${file}`, { exposeHeadRoute: true, config: { operation: null } }, (_request, reply) =>
      reply.sendFile(file, folder),
    );
}

/** Allows every origin, and no cookies: the code is the same for everybody. A browser asks each time whether it is new. */
function sendForAnyOrigin(
  reply: FastifyReply,
  { code, etag }: PageModule,
  known: string | undefined,
): FastifyReply {
  reply
    // The plugin for SLUICE_CORS_ORIGINS sets this header for a listed origin. It does not go with `*`.
    .removeHeader('access-control-allow-credentials')
    .header('access-control-allow-origin', '*')
    .header('cross-origin-resource-policy', 'cross-origin')
    .header('cache-control', 'public, no-cache')
    .header('etag', etag);
  if (known !== undefined && includesTag(known, etag)) return reply.code(304).send();
  return reply.header('content-type', 'text/javascript; charset=utf-8').send(code);
}

/** RFC 9110 §13.1.2, with its weak comparison: a proxy that compresses may have made the tag a weak one. */
function includesTag(known: string, etag: string): boolean {
  return known.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
}

/** The client as JavaScript. A module is made at the first request for it: most brokers never need one. */
class ClientModules {
  /** The files by the names that a page uses. */
  readonly #files: ReadonlyMap<string, URL>;
  readonly #made = new Map<string, PageModule>();

  constructor() {
    const found = readdirSync(CLIENT).flatMap((file): [string, URL][] => {
      const name = MODULE.exec(file)?.[1];
      return name === undefined ? [] : [[`${name}.js`, new URL(file, CLIENT)]];
    });
    this.#files = new Map(found);
  }

  find(name: string): PageModule | undefined {
    const file = this.#files.get(name);
    if (file === undefined) return undefined;
    const made = this.#made.get(name) ?? makeModule(file);
    this.#made.set(name, made);
    return made;
  }
}

function makeModule(file: URL): PageModule {
  const source = readFileSync(file, 'utf8');
  const code = Buffer.from(file.pathname.endsWith('.js') ? source : withoutTypes(source));
  return { code, etag: `"${createHash('sha256').update(code).digest('base64url').slice(0, 22)}"` };
}

function withoutTypes(source: string): string {
  return stripTypeScriptTypes(source).replaceAll(/(?<= from '\.\/[a-z-]+)\.ts(?=';)/g, '.js');
}
