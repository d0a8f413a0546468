import type { Server } from 'node:http';
import Fastify, { LogController } from 'fastify';
import type { FastifyBaseLogger, FastifyInstance, FastifyServerFactory } from 'fastify';
import { BrokerError } from '../core/errors.ts';
import { answerClientError } from './client-error.ts';
import { allowOrigins, originHeaders } from './cors.ts';
import { KnownRoutes } from './method-not-allowed.ts';
import { brokerErrorOf, sendProblem } from './problem.ts';
import type { Http2RequestListener, TlsServer } from './tls-server.ts';

export interface HttpServerOptions {
  readonly logger: FastifyBaseLogger;
  readonly maxBodyBytes: number;
  readonly corsOrigins: readonly string[];
  /** Where it is reached over TLS. */
  readonly tls?: TlsServer | undefined;
  /** Registers the routes, by name and in order. */
  readonly routes: (app: FastifyInstance) => Promise<void>;
}

/** How long a whole request may take to arrive, in ms; streams are not concerned, their request is over. */
const REQUEST_TIMEOUT = 30_000;
/** Longer than the idle time of the usual proxies, so that it is they who close an idle connection. */
const KEEP_ALIVE_TIMEOUT = 72_000;

/** A Fastify server with its defaults put right for a broker: what it refuses, and how it says so. */
export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: options.logger,
    // A request logs next to never; a logger of its own for each would cost more than the rest of routing.
    childLoggerFactory: (logger) => logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.maxBodyBytes,
    requestTimeout: REQUEST_TIMEOUT,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
    // While closing, Fastify would answer 503, which ends a browser's EventSource for good.
    return503OnClosing: false,
    exposeHeadRoutes: false,
    requestIdHeader: false,
    // A name that is too long gets our own error, not 414; the size of a request's head is limited all the same.
    routerOptions: { maxParamLength: 64 * 1024 },
    http: { requireHostHeader: false, keepAlive: true, keepAliveInitialDelay: 15_000 },
    ...(options.tls !== undefined && { serverFactory: serverFactory(options.tls) }),
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => {
      // No hook runs for a URL that cannot be decoded, that of CORS included.
      reply.headers(originHeaders(options.corsOrigins, request.headers.origin));
      void sendProblem(
        reply,
        brokerErrorOf(error) ?? new BrokerError('bad-request', 'The request could not be read.'),
      );
    },
  });

  app.setErrorHandler((error, request, reply) => {
    const known = brokerErrorOf(error);
    if (known === undefined)
      request.log.error({ err: error }, 'a request failed for a reason nobody foresaw');
    return sendProblem(
      reply,
      known ?? new BrokerError('internal', 'Something went wrong in the broker; its log says what.'),
    );
  });
  app.setNotFoundHandler((_request, reply) =>
    sendProblem(
      reply,
      new BrokerError(
        'not-found',
        'There is nothing at this path. Publish to /publish, subscribe at /events/<channel>.',
      ),
    ),
  );

  await allowOrigins(app, options.corsOrigins);
  // Node would answer without a body (RFC 9112 §3.2).
  app.addHook('onRequest', (request, reply, done) => {
    if (request.raw.httpVersion !== '1.1' || request.headers.host !== undefined) {
      done();
      return;
    }
    reply.header('connection', 'close');
    done(new BrokerError('bad-request', 'A request of HTTP/1.1 needs a Host header.'));
  });
  const known = new KnownRoutes();
  known.watch(app);
  await options.routes(app);
  known.refuseOthers(app);
  return app;
}

function serverFactory(tls: TlsServer): FastifyServerFactory {
  return (handler) =>
    // Fastify's types tell the two servers apart; what it does with a request it asks the request.
    tls.create(handler as unknown as Http2RequestListener, {
      requestTimeout: REQUEST_TIMEOUT,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
    }) as unknown as Server;
}
