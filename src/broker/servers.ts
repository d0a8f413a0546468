import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { AllowedOrigins } from '../auth/allowed-origins.ts';
import type { Config } from '../config/config.ts';
import { KEEP_ALIVE_TIMEOUT_MS, createHttpServer } from '../http/http-server.ts';
import { ListeningSockets } from '../http/listening-sockets.ts';
import { PublishLane } from '../routes/publish-lane.ts';
import { StreamLane } from '../routes/stream-lane.ts';
import { TlsServer } from '../http/tls-server.ts';
import type { TlsIdentity } from '../http/tls-server.ts';
import { trustedProxies } from '../http/trusted-proxies.ts';
import { adminRoutes, brokerRoutes } from './routes.ts';
import type { RouteParts } from './routes.ts';

/**
 * The number of connections that may wait to be accepted. The kernel may allow fewer (net.core.somaxconn). With Node's 511, the
 * kernel would drop most of thousands of clients that reconnect at once, and TCP would retry up to a minute later.
 */
const BACKLOG = 16_384;
/** How long requests may take to finish after the last stream has ended, in ms. */
const FINISH_MS = 2_000;
/** The limit for bodies on the admin port, whose routes need no body. */
const ADMIN_BODY_BYTES = 1024;
const ADMIN_PATHS = ['/livez', '/readyz', '/healthz', '/metrics'];

/** The broker's port with its publish lane, and the admin port if there is one. */
export interface Servers {
  /** Starts to listen. Returns the URL of the broker and of the admin port. */
  listen(): Promise<{ readonly url: string; readonly adminUrl: string | undefined }>;
  /** Asks HTTP/2 clients to open no more streams on their connections. */
  sendAway(): void;
  /** Accepts no more connections. Waits up to {@link FINISH_MS} for the answers to open requests. */
  finish(): Promise<void>;
  renewCertificate(config: Config): void;
  /** Closes everything at once. Cuts open connections. */
  close(): Promise<void>;
}

export async function openServers(config: Config, logger: Logger, parts: RouteParts): Promise<Servers> {
  // Fastify's lines at `info` are suppressed: the broker logs its own.
  const httpLogger = logger.child({}, { level: logger.isLevelEnabled('info') ? 'warn' : logger.level });
  const identity = tlsIdentity(config);
  const tls = identity && new TlsServer(identity);
  const common = {
    logger: httpLogger,
    maxHeaderBytes: config.maxHeaderBytes,
    headTimeout: config.headTimeout,
    onRequestRefused: parts.refusals.onRequestRefused,
  };
  const server = await createHttpServer({
    ...common,
    tls,
    maxBodyBytes: config.maxBodyBytes,
    trustedProxies: config.trustedProxies,
    corsOrigins: parts.credentials.origins,
    routes: (app) => brokerRoutes(app, config, parts),
    ...(config.adminPort !== undefined && { adminPaths: ADMIN_PATHS }),
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
      // Fastify does not know that its server uses TLS.
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

/** Makes the lane of a broker without TLS. The lane reads only unencrypted bytes. */
function publishLane(
  server: FastifyInstance,
  config: Config,
  logger: Logger,
  { publisher, hub, connections, loop, credentials, opener }: RouteParts,
): PublishLane {
  const trusts = trustedProxies(config.trustedProxies);
  const { subscribers, origins } = credentials;
  const { headers } = config;
  return new PublishLane(server.server, {
    publisher,
    streams: new StreamLane({ hub, opener, connections, subscribers, origins, headers, trusts }),
    trusts,
    maxHeaderBytes: config.maxHeaderBytes,
    maxBodyBytes: config.maxBodyBytes,
    keepAlive: KEEP_ALIVE_TIMEOUT_MS,
    loop,
    onError: (error) => logger.error({ err: error }, 'a publish failed with an unexpected error'),
  });
}

function tlsIdentity({ tlsCert: cert, tlsKey: key }: Config): TlsIdentity | undefined {
  return cert === undefined || key === undefined ? undefined : { cert, key };
}
