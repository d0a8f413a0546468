import type { Server } from 'node:http';
import Fastify, { LogController } from 'fastify';
import type { FastifyBaseLogger, FastifyInstance, FastifyServerFactory } from 'fastify';
import type { AllowedOrigins } from '../auth/allowed-origins.ts';
import { BrokerError } from '../core/errors.ts';
import type { OnRefusedRequest } from '../core/refused-request.ts';
import { clientAddress } from './client-address.ts';
import { answerClientError } from './client-error.ts';
import { allowOrigins, originHeaders } from './cors.ts';
import { KnownRoutes } from './method-not-allowed.ts';
import { boundPipelining } from './pipelined-requests.ts';
import { UNFORESEEN, brokerErrorOf, sendProblem } from './problem.ts';
import { SECURITY_HEADERS, secureAnswers } from './security-headers.ts';
import { refuseStrangeTargets } from './strange-targets.ts';
import type { Http2RequestListener, TlsServer } from './tls-server.ts';
import { trustedProxies } from './trusted-proxies.ts';

export interface HttpServerOptions {
  readonly logger: FastifyBaseLogger;
  readonly maxBodyBytes: number;
  /** Of a request line and the headers together, about. */
  readonly maxHeaderBytes: number;
  /** How long these may take to arrive, in ms; at most as long as a whole request may. */
  readonly headTimeout: number;
  /** Addresses and networks whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  readonly corsOrigins: AllowedOrigins;
  readonly onRefused: OnRefusedRequest;
  /** REQUEST_TIMEOUT but in tests. */
  readonly requestTimeout?: number;
  /** Where it is reached over TLS. */
  readonly tls?: TlsServer | undefined;
  /** Registers the routes, by name and in order. */
  readonly routes: (app: FastifyInstance) => Promise<void>;
}

/** How long a whole request may take to arrive, in ms; streams are not concerned, their request is over. */
const REQUEST_TIMEOUT = 30_000;
/** How late it may be noticed that a request takes too long, in ms. */
const LATEST_NOTICE = 5_000;
/** Node has no other way to say that there are too many than 431, as for those that are too large. */
const MAX_HEADERS = 1_000;
/** Longer than the idle time of the usual proxies, so that it is they who close an idle connection. */
export const KEEP_ALIVE_TIMEOUT = 72_000;

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
    routerOptions: { maxParamLength: options.maxHeaderBytes },
    trustProxy: options.trustedProxies.length > 0 ? trustedProxies(options.trustedProxies) : false,
    http: {
      requireHostHeader: false,
      keepAlive: true,
      keepAliveInitialDelay: 15_000,
      maxHeaderSize: options.maxHeaderBytes,
      headersTimeout: options.headTimeout,
      connectionsCheckingInterval: Math.min(LATEST_NOTICE, options.headTimeout / 2),
    },
    ...(options.tls !== undefined && { serverFactory: serverFactory(options.tls, options) }),
    clientErrorHandler: (error, socket) => answerClientError(error, socket, options.onRefused),
    frameworkErrors: (error, request, reply) => {
      // No hook runs for a URL that cannot be decoded, that of CORS included.
      reply.headers({ ...SECURITY_HEADERS, ...originHeaders(options.corsOrigins, request.headers.origin) });
      void sendProblem(
        reply,
        brokerErrorOf(error) ?? new BrokerError('bad-request', 'The request could not be read.'),
      );
    },
  });

  app.setErrorHandler((error, request, reply) => {
    const known = brokerErrorOf(error);
    if (known?.code === 'body-too-large') options.onRefused('body-size', clientAddress(request));
    if (known === undefined)
      request.log.error({ err: error }, 'a request failed for a reason nobody foresaw');
    // Fastify asks for the end of the connection where a body is left over. HTTP/2 has no such header.
    if (request.raw.httpVersionMajor === 2) reply.removeHeader('connection');
    return sendProblem(reply, known ?? UNFORESEEN);
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

  app.server.maxHeadersCount = MAX_HEADERS;
  boundPipelining(app);

  secureAnswers(app);
  await allowOrigins(app, options.corsOrigins);
  refuseStrangeTargets(app);
  const known = new KnownRoutes();
  known.watch(app);
  await options.routes(app);
  known.refuseOthers(app);
  return app;
}

function serverFactory(
  tls: TlsServer,
  { maxHeaderBytes, headTimeout, onRefused, requestTimeout = REQUEST_TIMEOUT }: HttpServerOptions,
): FastifyServerFactory {
  return (handler) =>
    // Fastify's types tell the two servers apart; what it does with a request it asks the request.
    tls.create(handler as unknown as Http2RequestListener, {
      maxHeaderBytes,
      headTimeout,
      requestTimeout,
      latestNotice: Math.min(LATEST_NOTICE, headTimeout / 2),
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
      onSlow: (address) => onRefused('slow', address),
    }) as unknown as Server;
}
