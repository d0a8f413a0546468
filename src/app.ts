import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { AllowedOrigins } from './auth/allowed-origins.ts';
import { CredentialGuard } from './auth/credential-guard.ts';
import { FailedAttempts } from './auth/failed-attempts.ts';
import { PublishKeys } from './auth/publish-keys.ts';
import { Revocations } from './auth/revocations.ts';
import { packageVersion } from './config.ts';
import type { Config } from './config.ts';
import type { RefuseReason } from './core/close-reason.ts';
import { FairLoop } from './core/fair-loop.ts';
import { Hub } from './core/hub.ts';
import { RareNotice } from './core/rare-notice.ts';
import type { OnRefusedRequest, RefusedRequest } from './core/refused-request.ts';
import { DescribedRoutes } from './http/described-routes.ts';
import { apiDocument } from './http/api-document.ts';
import { consolePage } from './http/console-page.ts';
import { disconnectRoute } from './http/disconnect.ts';
import { Disconnector } from './http/disconnector.ts';
import { healthRoutes } from './http/health.ts';
import type { Readiness } from './http/health.ts';
import { KEEP_ALIVE_TIMEOUT, createHttpServer } from './http/http-server.ts';
import { ListeningSockets } from './http/listening-sockets.ts';
import { metricsRoute } from './http/metrics-endpoint.ts';
import { PublishLane } from './http/publish-lane.ts';
import { publishRoutes } from './http/publish.ts';
import { PublisherAccess } from './http/publisher-access.ts';
import { subscribeRoutes } from './http/subscribe.ts';
import { SubscriberAccess } from './http/subscriber-access.ts';
import { tokenRoutes } from './http/tokens.ts';
import { TlsServer } from './http/tls-server.ts';
import type { TlsIdentity } from './http/tls-server.ts';
import { Metrics } from './metrics.ts';
import { Connections } from './sse/connections.ts';
import { openBackbone } from './wiring/backbone.ts';
import { LogWatch } from './wiring/log-watch.ts';
import { startTracing } from './wiring/start-tracing.ts';
import { tokenServices } from './wiring/token-services.ts';

/**
 * Connections that may wait to be accepted; the kernel may allow fewer (net.core.somaxconn). With Node's 511, thousands
 * who come back at once would be dropped, and wait for their TCP's next attempts, up to a minute later.
 */
const BACKLOG = 16_384;
/** How long requests may take to finish after the last stream has ended, in ms. */
const FINISH = 2_000;
/** How often it is said that somebody met a limit, for each of them, in ms; the metrics count every time. */
const NOTICE_INTERVAL = 10_000;

export interface App {
  /** The name of this replica, which no other has. */
  readonly replica: string;
  /** Listens; gives the URL of the broker, and of the admin port when there is one. */
  listen(): Promise<{ readonly url: string; readonly adminUrl: string | undefined }>;
  /** Not ready any more, ends every stream over the drain window, lets requests finish. */
  drain(): Promise<void>;
  /** The certificate for connections from now on, where there is TLS; those that are open keep theirs. */
  renewCertificate(config: Config): void;
  /** Everything at once; streams that are still open are cut. */
  close(): Promise<void>;
}

/** The composition root: picks the log, wires the parts, knows the whole Config so that nobody else must. */
export async function createApp(
  config: Config,
  logger: Logger,
  /** Where the logger writes, and how many of its lines it had to drop. */
  logOutput: { readonly dropped: number },
): Promise<App> {
  const logWatch = new LogWatch(logger);
  const replica = `${hostname()}-${randomBytes(4).toString('hex')}`;
  const { log: events, control, counter } = openBackbone(config, replica, logWatch);
  const tracing = await startTracing(config.tracing, logger);
  const log = tracing?.around(events, config.redisUrl === undefined ? undefined : 'redis') ?? events;

  const loop = new FairLoop();
  const version = packageVersion();
  const metrics: Metrics = new Metrics({
    version,
    connections: () => connections.size,
    connectionsLimit: () => config.maxConnections,
    channels: () => hub.channelsFollowed,
    bufferedBytes: () => connections.bufferedBytes,
    revocations: () => revocations.size,
    logLinesDropped: () => logOutput.dropped,
    log: () => log.health(),
    ready: async () => (await readiness()).ready,
  });
  const hub = new Hub({
    log,
    loop,
    instruments: metrics.instruments,
    history: { size: config.historySize, ttl: config.historyTtl },
    onTrouble: logWatch.onTrouble,
  });
  const connections: Connections = new Connections({
    loop,
    heartbeat: config.heartbeat,
    stallTimeout: config.stallTimeout,
    retry: config.retry,
    maxAge: config.maxConnectionAge,
    maxConnections: config.maxConnections,
    maxPerAddress: config.maxConnectionsPerIp,
    maxPerSubject: config.maxConnectionsPerSubject,
    onClosed: metrics.closed,
  });

  const revocations = new Revocations({ ttl: config.revocationTtl });
  const disconnector = new Disconnector({ connections, revocations, control });

  const readiness = async (): Promise<Readiness> => {
    const health = await log.health();
    const { draining } = connections;
    const { up, detail } = health;
    const state = detail === '' ? 'up' : `${up ? 'partly down' : 'down'}: ${detail}`;
    return {
      ready: !draining && logWatch.isTolerable(health),
      checks: { log: state, draining: String(draining) },
    };
  };

  const lookingIn = async (app: FastifyInstance): Promise<void> => {
    await app.register(healthRoutes, { readiness });
    await app.register(metricsRoute, { exposition: metrics });
  };
  const notice = new RareNotice<RefuseReason | RefusedRequest, string | undefined>(
    (limit, times, address) => logger.info({ limit, times, address }, 'refused: a limit is met'),
    NOTICE_INTERVAL,
  );
  const onRefusedRequest: OnRefusedRequest = (reason, address) => {
    metrics.refusedRequest(reason);
    notice.note(reason, address);
  };
  const allowedOrigins = new AllowedOrigins(config.corsOrigins);
  const attempts = new FailedAttempts(config.failedAuthLimit);
  // Fastify says in a line for each address what we say in one.
  const httpLogger = logger.child({}, { level: logger.isLevelEnabled('info') ? 'warn' : logger.level });
  const keys = new PublishKeys(config.publishKeys);
  const tokens = tokenServices(config, logger);
  const { verifier } = tokens;
  const guard = (onTooMany: (address: string) => void): CredentialGuard =>
    new CredentialGuard({ attempts, onFailed: metrics.failedAuthentication, onTooMany });
  const publishers = new PublisherAccess({
    keys,
    verifier,
    guard: guard((address) => onRefusedRequest('failed-authentication', address)),
  });
  const subscribers = new SubscriberAccess({
    verifier,
    revocations,
    // They are asked to come back, and counted as such.
    guard: guard(() => undefined),
    publicChannels: config.publicChannels,
    origins: allowedOrigins,
    tokenCookie: config.tokenCookie,
  });
  const identity = tlsIdentity(config);
  const tls = identity && new TlsServer(identity);
  const server = await createHttpServer({
    logger: httpLogger,
    tls,
    maxBodyBytes: config.maxBodyBytes,
    maxHeaderBytes: config.maxHeaderBytes,
    headTimeout: config.headTimeout,
    trustedProxies: config.trustedProxies,
    corsOrigins: allowedOrigins,
    onRefused: onRefusedRequest,
    routes: async (app) => {
      const described = new DescribedRoutes();
      described.watch(app);
      await app.register(publishRoutes, {
        hub,
        publishers,
        revocations,
        rates: {
          perKey: config.publishRatePerKey,
          perAddress: config.publishRatePerIp,
          counter,
          onUncounted: metrics.uncounted,
          onRefused: onRefusedRequest,
        },
        maxBodyBytes: config.maxBodyBytes,
        loop,
        tracer: tracing?.requests,
      });
      await app.register(disconnectRoute, { control, keys, publishers });
      await app.register(subscribeRoutes, {
        hub,
        connections,
        subscribers,
        revocations,
        onOpened: metrics.opened,
        onRefused: (reason, address) => {
          metrics.refused(reason);
          if (reason !== 'draining') notice.note(reason, address);
        },
      });
      await app.register(tokenRoutes, { keys, publishers, issuer: tokens.issuer });
      await app.register(consolePage, { folder: fileURLToPath(new URL('console', import.meta.url)) });
      if (config.adminPort === undefined) await lookingIn(app);
      await app.register(apiDocument, { described, version, tokenCookie: config.tokenCookie });
    },
  });
  const sockets = new ListeningSockets(server.server);
  // Rates are counted, and requests traced, by hooks of Fastify, which the lane is past; and it reads no TLS.
  const hooked =
    config.publishRatePerKey !== undefined || config.publishRatePerIp !== undefined || tracing !== undefined;
  const lane =
    hooked || tls !== undefined
      ? undefined
      : new PublishLane(server.server, {
          hub,
          keys,
          maxHeaderBytes: config.maxHeaderBytes,
          maxBodyBytes: config.maxBodyBytes,
          keepAlive: KEEP_ALIVE_TIMEOUT,
          loop,
          onError: (error) => logger.error({ err: error }, 'a publish failed for a reason nobody foresaw'),
        });
  const admin =
    config.adminPort === undefined
      ? undefined
      : await createHttpServer({
          logger: httpLogger,
          maxBodyBytes: 1024,
          maxHeaderBytes: config.maxHeaderBytes,
          headTimeout: config.headTimeout,
          trustedProxies: [],
          corsOrigins: new AllowedOrigins([]),
          onRefused: onRefusedRequest,
          routes: lookingIn,
        });

  const close = async (): Promise<void> => {
    tokens.close();
    disconnector.close();
    hub.close();
    connections.close();
    lane?.close();
    if (tls === undefined) server.server.closeAllConnections();
    else tls.closeAllConnections();
    admin?.server.closeAllConnections();
    await Promise.all([server.close(), sockets.close(), admin?.close()]);
    await Promise.all([log.close(), tracing?.close()]);
  };

  return {
    replica,
    async listen() {
      const adminUrl = await admin?.listen({ port: config.adminPort ?? 0, host: config.host });
      const where = { port: config.port, host: config.host, backlog: BACKLOG };
      const url = await sockets.listen((options) => server.listen(options), where);
      // Fastify does not know what its server speaks.
      return { url: tls === undefined ? url : url.replace(/^http:/, 'https:'), adminUrl };
    },
    async drain() {
      const ended = connections.drain(config.drainWindow);
      tls?.sendAway();
      await ended;
      // Requests under way get their answer; who then still keeps a connection open is cut.
      lane?.close();
      const finished = Promise.all([server.close(), sockets.close()]);
      await Promise.race([finished, delay(FINISH, undefined, { ref: false })]);
      await close();
    },
    renewCertificate(renewed) {
      const next = tlsIdentity(renewed);
      if (next !== undefined) tls?.renew(next);
    },
    close,
  };
}

function tlsIdentity({ tlsCert: cert, tlsKey: key }: Config): TlsIdentity | undefined {
  return cert === undefined || key === undefined ? undefined : { cert, key };
}
