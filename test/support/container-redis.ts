import { GenericContainer, Wait, getContainerRuntimeClient } from 'testcontainers';
import { afterExit } from './after-exit.ts';
import { freePort } from './free-port.ts';
import { redisArguments } from './redis-arguments.ts';
import { redisCommand, redisReady } from './redis-command.ts';
import type { RedisServer, RedisServerOptions } from './redis-server.ts';
import { asArguments, redisTlsFiles } from './redis-tls-files.ts';

/** The image that the tests start when a Docker engine answers. */
export const REDIS_IMAGE = 'redis:8-alpine';

const REDIS_PORT = 6379;
const REDIS_TLS_PORT = 6380;
const TLS_FOLDER = '/tmp';
const READY_TIMEOUT_MS = 20_000;
/** Seconds that Redis has to shut down in before it is killed. */
const SHUTDOWN_TIMEOUT_S = 10;

/** `startRedis` in a new container. */
export async function startContainerRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  for (let attempt = 1; ; attempt += 1) {
    // A fixed port: Docker would pick another port at each start of the same container.
    const port = options.port ?? (await freePort());
    try {
      return await startOnPort(port, options);
    } catch (error) {
      // Another process may have taken the free port in the meantime.
      const taken = error instanceof Error && error.message.includes('already in use');
      if (!taken || options.port !== undefined || attempt === 5) throw error;
    }
  }
}

async function startOnPort(port: number, options: RedisServerOptions): Promise<RedisServer> {
  const engine = await getContainerRuntimeClient();
  const tls =
    options.tls && redisTlsFiles(options.tls, hostOf(engine.info.containerRuntime.host), TLS_FOLDER);
  const tlsArguments = tls === undefined ? [] : asArguments([`tls-port ${REDIS_TLS_PORT}`, ...tls.config]);
  const ports = [{ container: REDIS_PORT, host: port }];
  if (options.tls !== undefined) ports.push({ container: REDIS_TLS_PORT, host: options.tls.port });
  const started = await new GenericContainer(REDIS_IMAGE)
    .withCommand(['redis-server', ...redisArguments(options), ...tlsArguments])
    .withExposedPorts(...ports)
    .withCopyContentToContainer(
      Object.entries(tls?.files ?? {}).map(([name, content]) => ({
        content,
        target: `${TLS_FOLDER}/${name}`,
        mode: 0o644,
      })),
    )
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .start();
  const container = engine.container.dockerode.getContainer(started.getId());
  const callOff = afterExit('docker rm --force --volumes "$1"', started.getId());
  const host = hostOf(started.getHost());
  const address = { host, port };
  await redisReady(address, READY_TIMEOUT_MS);

  const kill = async (): Promise<void> => {
    await container.kill({ signal: 'SIGKILL' });
    await container.wait();
  };

  return {
    url: `redis://${host}:${port}`,
    tlsUrl: `rediss://${host}:${options.tls?.port}`,
    port,
    async stop() {
      await container.remove({ force: true, v: true });
      callOff();
    },
    async pause() {
      await container.pause();
    },
    async resume() {
      await container.unpause();
    },
    kill,
    async restart() {
      const { State: state } = await container.inspect();
      // A frozen process reacts only to SIGKILL.
      if (state.Paused) await kill();
      else if (state.Running) await container.stop({ t: SHUTDOWN_TIMEOUT_S });
      await container.start();
      await redisReady(address, READY_TIMEOUT_MS);
    },
    async cli(...args) {
      return await redisCommand(address, args);
    },
  };
}

/** Docker may publish the port on IPv4 only, while `localhost` often resolves to IPv6 first. */
function hostOf(name: string): string {
  return name === 'localhost' ? '127.0.0.1' : name;
}
