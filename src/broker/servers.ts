import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { AllowedOrigins } from '../auth/allowed-origins.ts';
import type { Config } from '../config/config.ts';
import { KEEP_ALIVE_TIMEOUT, createHttpServer } from '../http/http-server.ts';
import { ListeningSockets } from '../http/listening-sockets.ts';
import { PublishLane } from '../routes/publish-lane.ts';
import { TlsServer } from '../http/tls-server.ts';
import type { TlsIdentity } from '../http/tls-server.ts';
import { trustedProxies } from '../http/trusted-proxies.ts';
import { adminRoutes, brokerRoutes } from './routes.ts';
import type { RouteParts } from './routes.ts';

/**
 * Connections that may wait to be accepted; the kernel may allow fewer (net.core.somaxconn). With Node's 511, thousands
 * who come back at once would be dropped, and wait for their TCP's next attempts, up to a minute later.
 */
const BACKLOG = 16_384;
/** How long requests may take to finish after the last stream has ended, in ms. */
const FINISH_MS = 2_000;
/** The admin port takes no bodies. */
const ADMIN_BODY_BYTES = 1024;

/** What listens: the broker's port with its publish lane, and the admin port where there is one. */
export interface Servers {
  /** Gives the URL of the broker, and of the admin port. */
  listen(): Promise<{ readonly url: string; readonly adminUrl: string | undefined }>;
  /** Asks clients of HTTP/2 to open no more streams on their connections. */
  sendAway(): void;
  /** Takes no more connections, and gives requests under way {@link FINISH_MS} for their answers. */
  finish(): Promise<void>;
  renewCertificate(config: Config): void;
  /** At once: open connections are cut. */
  close(): Promise<void>;
}

export async function openServers(config: Config, logger: Logger, parts: RouteParts): Promise<Servers> {
  // Fastify logs a line for each refused address where the broker logs one for all.
  const httpLogger = logger.child({}, { level: logger.isLevelEnabled('info') ? 'warn' : logger.level });
  const identity = tlsIdentity(config);
  const tls = identity && new TlsServer(identity);
  const common = {
    logger: httpLogger,
    maxHeaderBytes: config.maxHeaderBytes,
    headTimeout: config.headTimeout,
    onRefused: parts.refusals.onRequest,
  };
  const server = await createHttpServer({
    ...common,
    tls,
    maxBodyBytes: config.maxBodyBytes,
    trustedProxies: config.trustedProxies,
    corsOrigins: parts.credentials.origins,
    routes: (app) => brokerRoutes(app, config, parts),
  });
  const sockets = new ListeningSockets(server.server);
  const lane = tls === undefined ? publishLane(server, config, logger, parts) : undefined;
  const admin =
    config.adminPort === undefined
      ? undefined
      : await createHttpServer({
          ...common,
          maxBodyBytes: ADMIN_BODY_BYTES,
          trustedProxies: [],
          corsOrigins: new AllowedOrigins([]),
          routes: (app) => adminRoutes(app, parts),
        });

  return {
    async listen() {
      const adminUrl = await admin?.listen({ port: config.adminPort ?? 0, host: config.host });
      const where = { port: config.port, host: config.host, backlog: BACKLOG };
      const url = await sockets.listen((options) => server.listen(options), where);
      // Fastify does not know what its server speaks.
      return { url: tls === undefined ? url : url.replace(/^http:/, 'https:'), adminUrl };
    },
    sendAway() {
      tls?.sendAway();
    },
    async finish() {
      lane?.close();
      const finished = Promise.all([server.close(), sockets.close()]);
      await Promise.race([finished, delay(FINISH_MS, undefined, { ref: false })]);
    },
    renewCertificate(renewed) {
      const next = tlsIdentity(renewed);
      if (next !== undefined) tls?.renew(next);
    },
    async close() {
      lane?.close();
      lane?.cut();
      if (tls === undefined) server.server.closeAllConnections();
      else tls.closeAllConnections();
      admin?.server.closeAllConnections();
      await Promise.all([server.close(), sockets.close(), admin?.close()]);
    },
  };
}

/** For a broker without TLS: the lane reads plain text only. */
function publishLane(
  server: FastifyInstance,
  config: Config,
  logger: Logger,
  { publisher, loop }: RouteParts,
): PublishLane {
  return new PublishLane(server.server, {
    publisher,
    trusts: trustedProxies(config.trustedProxies),
    maxHeaderBytes: config.maxHeaderBytes,
    maxBodyBytes: config.maxBodyBytes,
    keepAlive: KEEP_ALIVE_TIMEOUT,
    loop,
    onError: (error) => logger.error({ err: error }, 'a publish failed with an unexpected error'),
  });
}

function tlsIdentity({ tlsCert: cert, tlsKey: key }: Config): TlsIdentity | undefined {
  return cert === undefined || key === undefined ? undefined : { cert, key };
}
