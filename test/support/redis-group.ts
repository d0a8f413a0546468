import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GenericContainer, Wait } from 'testcontainers';
import type { StartedTestContainer } from 'testcontainers';
import { afterExit } from './after-exit.ts';
import { REDIS_IMAGE } from './container-redis.ts';
import { redisCommand, redisReady } from './redis-command.ts';
import type { RedisTlsOptions } from './redis-server.ts';
import { redisTlsFiles } from './redis-tls-files.ts';

const HOST = '127.0.0.1';
const READY_TIMEOUT_MS = 20_000;

export interface NodePlan {
  readonly port: number;
  /** Lines of the configuration file, in addition to the port and the folder. */
  readonly config: readonly string[];
  readonly sentinel?: boolean;
  /** Adds a port with TLS, which the node also uses to reach the others. */
  readonly tls?: RedisTlsOptions;
}

/** One of several servers that are connected with each other. */
export interface RedisNode {
  readonly port: number;
  cli(...args: string[]): Promise<string>;
  signal(name: 'KILL' | 'STOP' | 'CONT'): Promise<void>;
}

export interface RedisGroup {
  readonly nodes: readonly RedisNode[];
  stop(): Promise<void>;
}

/** Where servers run: on this machine, or together in one container, where they also reach each other at 127.0.0.1. */
interface Place {
  /** Aborted when a server ends unexpectedly, so that nothing waits for the server any longer. */
  readonly ended?: AbortSignal;
  start(plan: NodePlan): Promise<void>;
  signal(port: number, name: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts servers that reach each other at 127.0.0.1; resolves once all of them answer. */
export async function startRedisGroup(plans: readonly NodePlan[]): Promise<RedisGroup> {
  const place = process.env['TEST_REDIS'] === 'container' ? await container(plans) : await thisMachine();
  await Promise.all(plans.map((plan) => place.start(plan)));
  try {
    await Promise.all(
      plans.map(({ port }) => redisReady({ host: HOST, port }, READY_TIMEOUT_MS, place.ended)),
    );
  } catch (error) {
    await place.stop();
    throw error;
  }
  return {
    nodes: plans.map(({ port }) => ({
      port,
      cli: (...args) => redisCommand({ host: HOST, port }, args),
      signal: (name) => place.signal(port, name),
    })),
    stop: () => place.stop(),
  };
}

/** The files of a server, by name: the configuration, and the files that it names. */
function filesOf({ port, config, tls }: NodePlan, folder: string): Record<string, string> {
  const { files = {}, config: tlsConfig = [] } = tls === undefined ? {} : redisTlsFiles(tls, HOST, folder);
  const tlsLines = tls === undefined ? [] : [`tls-port ${tls.port}`, 'tls-replication yes', ...tlsConfig];
  const own = [`port ${port}`, `dir ${folder}`, `logfile ${join(folder, 'log')}`];
  const lines = [...own, 'save ""', 'protected-mode no', ...tlsLines, ...config, ''];
  return { ...files, 'redis.conf': lines.join('\n') };
}

async function thisMachine(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-redis-group-'));
  const children = new Map<number, { child: ChildProcess; callOff: () => void }>();
  const ended = new AbortController();
  const end = async (port: number): Promise<void> => {
    const one = children.get(port);
    children.delete(port);
    if (one === undefined) return;
    if (one.child.exitCode === null && one.child.signalCode === null) {
      one.child.kill('SIGKILL');
      await once(one.child, 'exit');
    }
    one.callOff();
  };
  return {
    ended: ended.signal,
    async start(plan) {
      const own = await mkdtemp(join(folder, `${plan.port}-`));
      for (const [name, text] of Object.entries(filesOf(plan, own))) await writeFile(join(own, name), text);
      const file = join(own, 'redis.conf');
      const child = spawn('redis-server', [file, ...(plan.sentinel ? ['--sentinel'] : [])], {
        stdio: 'ignore',
      });
      child.once('exit', (code, signal) => {
        if (!children.has(plan.port)) return;
        const reason = `the redis-server at port ${plan.port} ended by itself: ${code ?? signal}`;
        // Prints the log: when no code waits for the server, its failure would only show as a time-out elsewhere.
        console.error(`${reason}\n${readFileSync(join(own, 'log'), 'utf8').slice(-2_000)}`);
        ended.abort(new Error(reason));
      });
      children.set(plan.port, {
        child,
        callOff: afterExit('kill -9 "$1"; rm -rf "$2"', String(child.pid), folder),
      });
    },
    async signal(port, name) {
      if (name === 'KILL') await end(port);
      else children.get(port)?.child.kill(`SIG${name}` as NodeJS.Signals);
    },
    async stop() {
      await Promise.all([...children.keys()].map(end));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function container(plans: readonly NodePlan[]): Promise<Place> {
  const started: StartedTestContainer = await new GenericContainer(REDIS_IMAGE)
    .withEntrypoint(['sh', '-c', 'while true; do sleep 3600; done'])
    .withExposedPorts(
      ...plans
        .flatMap(({ port, tls }) => (tls === undefined ? [port] : [port, tls.port]))
        .map((port) => ({ container: port, host: port })),
    )
    // The servers in the container start later, so there is no port to wait for.
    .withWaitStrategy(Wait.forSuccessfulCommand('true'))
    .start();
  const callOff = afterExit('docker rm --force --volumes "$1"', started.getId());
  const run = async (script: string): Promise<void> => {
    const { exitCode, output } = await started.exec(['sh', '-c', script]);
    if (exitCode !== 0) throw new Error(`${script}: ${output}`);
  };
  return {
    async start(plan) {
      const folder = `/tmp/${plan.port}`;
      const mode = plan.sentinel ? '--sentinel' : '';
      await run(`mkdir -p ${folder}`);
      for (const [name, text] of Object.entries(filesOf(plan, folder))) {
        await run(`printf '%s' '${text}' > ${folder}/${name}`);
      }
      await run(
        `printf 'daemonize yes\npidfile ${folder}/pid\n' >> ${folder}/redis.conf && redis-server ${folder}/redis.conf ${mode}`,
      );
    },
    signal: (port, name) => run(`kill -${name} "$(cat /tmp/${port}/pid)"`),
    async stop() {
      await started.stop();
      callOff();
    },
  };
}
