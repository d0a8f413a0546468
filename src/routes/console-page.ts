import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import type { Operation } from '../http/api/operation.ts';
import { API_PAGE, CONSOLE } from './page-operations.ts';
import { pageModules } from './page-modules.ts';

/** The page may send requests only to this broker, and no other page may frame it. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  // The browser refuses to turn strings into markup. The page builds all elements with DOM methods.
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** Serves the console at `/` and the API page at `/docs`, from the files in `root` and the folders in it. */
export async function consolePage(app: FastifyInstance, { folder: root }: { folder: string }): Promise<void> {
  await app.register(fastifyStatic, {
    root,
    serve: false,
    setHeaders: (reply) => {
      reply.header('content-security-policy', CONTENT_SECURITY_POLICY);
    },
  });
  const page = (path: string, file: string, operation: Operation): void => {
    app.get(path, { exposeHeadRoute: true, config: { operation } }, (_request, reply) =>
      reply.sendFile(file),
    );
  };
  page('/', 'index.html', CONSOLE);
  page('/docs', 'docs.html', API_PAGE);
  filesIn(app, root, '');
  await pageModules(app);
}

/** Serves the files of a folder, and of the folders in it. A route for each file would take a tenth of a start's CPU time. */
function filesIn(app: FastifyInstance, root: string, folder: string): void {
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile())
    .map(({ name }) => name.replaceAll('.', String.raw`\.`));
  app.get<{ Params: { file: string } }>(
    `/${folder}:file(^(?:${names.join('|')})$)`,
    { exposeHeadRoute: true, config: { operation: null } },
    (request, reply) => reply.sendFile(`${folder}${request.params.file}`),
  );
  for (const entry of entries) if (entry.isDirectory()) filesIn(app, root, `${folder}${entry.name}/`);
}
