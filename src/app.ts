import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { PublishKeys } from './auth/publish-keys.ts';
import type { Config } from './config.ts';
import type { EventLog, LogHealth } from './core/event-log.ts';
import { FairLoop } from './core/fair-loop.ts';
import { Hub } from './core/hub.ts';
import { consolePage } from './http/console-page.ts';
import { healthRoutes } from './http/health.ts';
import type { Readiness } from './http/health.ts';
import { KEEP_ALIVE_TIMEOUT, createHttpServer } from './http/http-server.ts';
import { metricsRoute } from './http/metrics-endpoint.ts';
import { PublishLane } from './http/publish-lane.ts';
import { publishRoutes } from './http/publish.ts';
import { subscribeRoutes } from './http/subscribe.ts';
import { MemoryEventLog } from './logs/memory-event-log.ts';
import { RedisEventLog } from './logs/redis/redis-event-log.ts';
import { Metrics } from './metrics.ts';
import { Connections } from './sse/connections.ts';

/**
 * Connections that may wait to be accepted; the kernel may allow fewer (net.core.somaxconn). With Node's 511, thousands
 * who come back at once would be dropped, and wait for their TCP's next attempts, up to a minute later.
 */
const BACKLOG = 16_384;
/** How long requests may take to finish after the last stream has ended, in ms. */
const FINISH = 2_000;
/** How long a log may be away before this replica says that it is not ready: a failover takes less, in ms. */
const READINESS_GRACE = 15_000;

export interface App {
  /** Listens; gives the URL of the broker, and of the admin port when there is one. */
  listen(): Promise<{ readonly url: string; readonly adminUrl: string | undefined }>;
  /** Law 8: not ready any more, ends every stream over the drain window, lets requests finish. */
  drain(): Promise<void>;
  /** Everything at once; streams that are still open are cut. */
  close(): Promise<void>;
}

/** The composition root: picks the log, wires the parts, knows the whole Config so that nobody else must. */
export async function createApp(config: Config, logger: Logger): Promise<App> {
  const logState = { downSince: performance.now(), everUp: false };
  const onHealth = ({ up, detail }: LogHealth): void => {
    if (up) logger.info('redis: up');
    else logger.warn({ detail }, 'redis: down; subscriptions stay open, publishing answers 503');
    logState.everUp ||= up;
    logState.downSince = performance.now();
  };
  const log: EventLog =
    config.redisUrl === undefined ? memoryLog(config) : redisLog(config, config.redisUrl, onHealth);

  const loop = new FairLoop();
  const metrics: Metrics = new Metrics({
    connections: () => connections.size,
    connectionsLimit: () => config.maxConnections,
    channels: () => hub.channelsFollowed,
    bufferedBytes: () => connections.bufferedBytes,
    logUp: async () => (await log.health()).up,
    ready: async () => (await readiness()).ready,
  });
  const hub = new Hub({ log, loop, instruments: metrics.instruments });
  const connections: Connections = new Connections({
    loop,
    heartbeat: config.heartbeat,
    stallTimeout: config.stallTimeout,
    retry: config.retry,
    maxAge: config.maxConnectionAge,
    maxConnections: config.maxConnections,
    onClosed: metrics.closed,
  });

  const readiness = async (): Promise<Readiness> => {
    const health = await log.health();
    const draining = connections.refusal === 'draining';
    const tolerated = logState.everUp && performance.now() - logState.downSince < READINESS_GRACE;
    const ready = !draining && (health.up || tolerated);
    return {
      ready,
      checks: { log: health.up ? 'up' : `down: ${health.detail}`, draining: String(draining) },
    };
  };

  const lookingIn = async (app: FastifyInstance): Promise<void> => {
    await app.register(healthRoutes, { readiness });
    await app.register(metricsRoute, { exposition: metrics });
  };
  // Fastify says in a line for each address what we say in one.
  const httpLogger = logger.child({}, { level: logger.isLevelEnabled('info') ? 'warn' : logger.level });
  const keys = new PublishKeys(config.publishKeys);
  const server = await createHttpServer({
    logger: httpLogger,
    maxBodyBytes: config.maxBodyBytes,
    corsOrigins: config.corsOrigins,
    routes: async (app) => {
      await app.register(publishRoutes, { hub, keys });
      await app.register(subscribeRoutes, {
        hub,
        connections,
        publicChannels: config.publicChannels,
        onOpened: metrics.opened,
        onRefused: metrics.refused,
      });
      await app.register(consolePage, { folder: fileURLToPath(new URL('console', import.meta.url)) });
      if (config.adminPort === undefined) await lookingIn(app);
    },
  });
  const lane = new PublishLane(server.server, {
    hub,
    keys,
    maxBodyBytes: config.maxBodyBytes,
    keepAlive: KEEP_ALIVE_TIMEOUT,
    onError: (error) => logger.error({ err: error }, 'a publish failed for a reason nobody foresaw'),
  });
  const admin =
    config.adminPort === undefined
      ? undefined
      : await createHttpServer({
          logger: httpLogger,
          maxBodyBytes: 1024,
          corsOrigins: [],
          routes: lookingIn,
        });

  const close = async (): Promise<void> => {
    hub.close();
    connections.close();
    lane.close();
    server.server.closeAllConnections();
    admin?.server.closeAllConnections();
    await Promise.all([server.close(), admin?.close()]);
    await log.close();
  };

  return {
    async listen() {
      const adminUrl = await admin?.listen({ port: config.adminPort ?? 0, host: config.host });
      return {
        url: await server.listen({ port: config.port, host: config.host, backlog: BACKLOG }),
        adminUrl,
      };
    },
    async drain() {
      await connections.drain(config.drainWindow);
      // Requests under way get their answer; who then still keeps a connection open is cut.
      lane.close();
      const finished = server.close();
      await Promise.race([finished, delay(FINISH, undefined, { ref: false })]);
      await close();
    },
    close,
  };
}

function memoryLog(config: Config): EventLog {
  return new MemoryEventLog({
    historySize: config.historySize,
    historyTtl: config.historyTtl,
    idempotencyTtl: config.idempotencyTtl,
    maxBytes: config.memoryBytes,
  });
}

function redisLog(config: Config, url: string, onHealth: (health: LogHealth) => void): EventLog {
  return new RedisEventLog({
    url,
    prefix: config.redisPrefix,
    waitReplicas: config.waitReplicas,
    historySize: config.historySize,
    historyTtl: config.historyTtl,
    idempotencyTtl: config.idempotencyTtl,
    onHealth,
  });
}
