import type { FastifyInstance } from 'fastify';

/** The routes of `app` take `application/json` alone and get its bytes unread, as a Buffer. */
export function takeJsonBytes(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
}
