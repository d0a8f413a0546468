import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterExit } from './after-exit.ts';
import { freePort } from './free-port.ts';
import { redisArguments } from './redis-arguments.ts';
import { redisCommand, redisReady } from './redis-command.ts';
import type { RedisServer, RedisServerOptions } from './redis-server.ts';
import { asArguments, redisTlsFiles } from './redis-tls-files.ts';

const HOST = '127.0.0.1';
const READY_TIMEOUT_MS = 20_000;

/** `startRedis` with the redis-server in the PATH. */
export async function startLocalRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-redis-'));
  const tls = options.tls && redisTlsFiles(options.tls, HOST, folder);
  for (const [name, text] of Object.entries(tls?.files ?? {})) await writeFile(join(folder, name), text);
  for (let attempt = 1; ; attempt += 1) {
    const redis = new LocalRedis(folder, options.port ?? (await freePort()), options, tls?.config ?? []);
    try {
      await redis.restart();
      return redis;
    } catch (error) {
      // Another process may have taken the free port in the meantime.
      const taken = error instanceof Error && error.message.includes('Address already in use');
      if (taken && options.port === undefined && attempt < 5) continue;
      await redis.stop();
      throw error;
    }
  }
}

class LocalRedis implements RedisServer {
  readonly port: number;
  readonly url: string;
  readonly tlsUrl: string;
  readonly #folder: string;
  readonly #args: string[];
  #child: ChildProcess | undefined;
  #paused = false;
  #callOff = (): void => {};

  constructor(folder: string, port: number, options: RedisServerOptions, tlsConfig: readonly string[]) {
    this.port = port;
    this.url = `redis://${HOST}:${port}`;
    this.tlsUrl = `rediss://${HOST}:${options.tls?.port}`;
    this.#folder = folder;
    this.#args = ['--bind', HOST, '--port', String(port), '--dir', folder, ...redisArguments(options)];
    if (options.tls !== undefined) {
      this.#args.push(...asArguments([`tls-port ${options.tls.port}`, ...tlsConfig]));
    }
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async pause(): Promise<void> {
    this.#running().kill('SIGSTOP');
    this.#paused = true;
  }

  async resume(): Promise<void> {
    this.#running().kill('SIGCONT');
    this.#paused = false;
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async restart(): Promise<void> {
    // A frozen process reacts only to SIGKILL.
    await this.#end(this.#paused ? 'SIGKILL' : 'SIGTERM');
    await this.#start();
  }

  async cli(...args: string[]): Promise<string> {
    return await redisCommand({ host: HOST, port: this.port }, args);
  }

  #running(): ChildProcess {
    if (this.#child === undefined) throw new Error('This Redis does not run.');
    return this.#child;
  }

  async #start(): Promise<void> {
    const log = await open(join(this.#folder, 'redis.log'), 'w');
    const child = spawn('redis-server', this.#args, { stdio: ['ignore', log.fd, log.fd] });
    await log.close();
    // A program that cannot be started emits 'error' and no 'exit'.
    const ended = new AbortController();
    child.once('exit', () => ended.abort());
    child.once('error', () => ended.abort());
    child.unref();
    this.#child = child;
    this.#callOff = afterExit('kill -9 "$1"; rm -rf "$2"', String(child.pid), this.#folder);
    try {
      await redisReady({ host: HOST, port: this.port }, READY_TIMEOUT_MS, ended.signal);
      // Another server on the same port would have answered just as well.
      if (ended.signal.aborted) throw new Error('it ended');
    } catch (error) {
      const said = await readFile(join(this.#folder, 'redis.log'), 'utf8');
      await this.#end('SIGKILL');
      throw new Error(`redis-server on port ${this.port} does not answer:\n${said}`, { cause: error });
    }
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    this.#paused = false;
    if (child === undefined) return;
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await once(child, 'exit');
    }
    this.#callOff();
  }
}
