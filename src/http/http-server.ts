import type { Server } from 'node:http';
import Fastify, { LogController } from 'fastify';
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyServerFactory } from 'fastify';
import type { AllowedOrigins } from '../auth/allowed-origins.ts';
import { BrokerError } from '../events/errors.ts';
import type { OnRequestRefused } from '../events/request-refusal.ts';
import { clientAddress } from './client-address.ts';
import { answerClientError } from './client-error.ts';
import { allowOrigins, originHeaders } from './cors.ts';
import { hasLeft } from './has-left.ts';
import { refuseOtherMethods } from './method-not-allowed.ts';
import { boundPipelining } from './pipelined-requests.ts';
import { UNEXPECTED, brokerErrorOf, sendProblem } from './problem.ts';
import { SECURITY_HEADERS, secureAnswers } from './security-headers.ts';
import { refuseStrangeTargets } from './strange-targets.ts';
import type { Http2RequestListener, TlsServer } from './tls-server.ts';
import { trustedProxies } from './trusted-proxies.ts';

export interface HttpServerOptions {
  readonly logger: FastifyBaseLogger;
  readonly maxBodyBytes: number;
  /** The approximate limit for the request line and headers together. */
  readonly maxHeaderBytes: number;
  /** How long the request line and headers may take to arrive, in ms. At most `requestTimeout`. */
  readonly headTimeout: number;
  /** Addresses and networks whose X-Forwarded-For is trusted. */
  readonly trustedProxies: readonly string[];
  readonly corsOrigins: AllowedOrigins;
  readonly onRequestRefused: OnRequestRefused;
  /** In ms. Default: REQUEST_TIMEOUT_MS. Only tests set it. */
  readonly requestTimeout?: number;
  /** Undefined without TLS. */
  readonly tls?: TlsServer | undefined;
  /** Registers the routes, by name and in order. */
  readonly routes: (app: FastifyInstance) => Promise<void>;
  /** Paths that another port has. The 404 says so. */
  readonly adminPaths?: readonly string[];
}

/** How long a whole request may take to arrive. The request of a stream is complete, so this does not limit streams. */
const REQUEST_TIMEOUT_MS = 30_000;
/** How often late requests are looked for. A late request is refused up to this much later. */
const CHECK_INTERVAL_MS = 5_000;
/** Node answers more headers than this with 431, as it does headers that are too large. */
const MAX_HEADERS = 1_000;
/** In ms. Longer than the idle timeout of common proxies, so that the proxy and not the broker closes an idle connection. */
export const KEEP_ALIVE_TIMEOUT_MS = 72_000;

/** Makes a Fastify server with the broker's limits, and with problem documents for all errors. */
export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: options.logger,
    // Requests are hardly ever logged. A child logger for each request would cost more than the rest of the routing.
    childLoggerFactory: (logger) => logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.maxBodyBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // While closing, Fastify would answer 503, which ends a browser's EventSource for good.
    return503OnClosing: false,
    exposeHeadRoutes: false,
    requestIdHeader: false,
    // Lets the route answer a long channel name with a problem document, where Fastify would send a bare 414.
    // `maxHeaderSize` limits its length anyway.
    routerOptions: { maxParamLength: options.maxHeaderBytes },
    trustProxy: options.trustedProxies.length > 0 ? trustedProxies(options.trustedProxies) : false,
    http: {
      requireHostHeader: false,
      keepAlive: true,
      keepAliveInitialDelay: 15_000,
      maxHeaderSize: options.maxHeaderBytes,
      headersTimeout: options.headTimeout,
      connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS, options.headTimeout / 2),
    },
    ...(options.tls !== undefined && { serverFactory: serverFactory(options.tls, options) }),
    clientErrorHandler: (error, socket) => answerClientError(error, socket, options.onRequestRefused),
    frameworkErrors: (error, request, reply) => {
      // Fastify runs no hook for a URL that it cannot decode, so the headers of the hooks are set here.
      reply.headers({ ...SECURITY_HEADERS, ...originHeaders(options.corsOrigins, request.headers.origin) });
      void sendProblem(
        reply,
        brokerErrorOf(error) ?? new BrokerError('bad-request', 'The request is invalid.'),
      );
    },
  });

  app.setErrorHandler((error, request, reply) => {
    const known = brokerErrorOf(error);
    if (known?.code === 'body-too-large') options.onRequestRefused('body-size', clientAddress(request));
    if (known === undefined && !isCutOff(error, reply))
      request.log.error({ err: error }, 'a request failed with an unexpected error');
    // Fastify sets `connection: close` when a part of the body was not read. HTTP/2 forbids this header.
    if (request.raw.httpVersionMajor === 2) reply.removeHeader('connection');
    return sendProblem(reply, known ?? UNEXPECTED);
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, new BrokerError('not-found', missing(request.url, options.adminPaths))),
  );

  app.server.maxHeadersCount = MAX_HEADERS;
  boundPipelining(app);

  secureAnswers(app);
  await allowOrigins(app, options.corsOrigins);
  refuseStrangeTargets(app);
  refuseOtherMethods(app, options.maxHeaderBytes);
  await options.routes(app);
  return app;
}

/**
 * Whether a file was not sent because its connection is gone: the client has left, or Node has cut the connection for a CONNECT behind
 * the request, of which Fastify does not know.
 */
function isCutOff(error: unknown, reply: FastifyReply): boolean {
  return hasLeft(reply) && (error as { code?: string }).code === 'ERR_STREAM_PREMATURE_CLOSE';
}

function missing(url: string, adminPaths: readonly string[] = []): string {
  return adminPaths.includes(url.split('?', 1)[0] ?? '')
    ? 'This path is on the port of SLUICE_ADMIN_PORT.'
    : 'This path does not exist. Publish to /publish, or subscribe at /events/<channel>.';
}

function serverFactory(
  tls: TlsServer,
  { maxHeaderBytes, headTimeout, onRequestRefused, requestTimeout = REQUEST_TIMEOUT_MS }: HttpServerOptions,
): FastifyServerFactory {
  return (handler) =>
    // The types of Fastify do not accept this server. At run time Fastify only needs the request.
    tls.create(handler as unknown as Http2RequestListener, {
      maxHeaderBytes,
      headTimeout,
      requestTimeout,
      checkInterval: Math.min(CHECK_INTERVAL_MS, headTimeout / 2),
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      onSlow: (address) => onRequestRefused('slow', address),
    }) as unknown as Server;
}
