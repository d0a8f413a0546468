import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterExit } from '../../test/support/after-exit.ts';

/** How long a server may take until it listens. */
const START_LIMIT_MS = 20_000;
/** How many characters of the output are kept for the error message when a server does not start. */
const KEPT_OUTPUT = 4_000;

export interface ServerOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** A port on 127.0.0.1. The server has started when this port accepts connections. */
  readonly port: number;
}

/** A server in a child process. The child process ends with this one, however this one ends. */
export class ServerProcess {
  readonly port: number;
  readonly #options: ServerOptions;
  #child: ChildProcess | undefined;
  #callOff: () => void = () => undefined;
  #output = '';

  private constructor(options: ServerOptions) {
    this.#options = options;
    this.port = options.port;
  }

  /** @throws Error with the server's output, when the server ends or does not listen in time */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const server = new ServerProcess(options);
    await server.restart();
    return server;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /**
   * Starts the server again on its port. Kills it first if it runs.
   * @throws Error with the server's output, when the server ends or does not listen in time
   */
  async restart(): Promise<void> {
    await this.stop();
    const { command, args, cwd, env, port } = this.#options;
    const child = spawn(command, args, { cwd, env: env ?? process.env, stdio: ['ignore', 'pipe', 'pipe'] });
    await once(child, 'spawn');
    this.#child = child;
    this.#callOff = afterExit('kill -9 "$1"', String(child.pid));
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-KEPT_OUTPUT);
      });
    }
    const limit = performance.now() + START_LIMIT_MS;
    while (!(await answers(port))) {
      if (!isRunning(child) || performance.now() > limit) {
        await this.stop();
        throw new Error(`${command} does not listen on ${port}:\n${this.#output}`);
      }
      await delay(50);
    }
  }

  /** Sends SIGTERM. Kills the server when it runs after `limitMs`. Returns whether it ended by itself. */
  async terminate(limitMs: number): Promise<boolean> {
    const child = this.#child;
    let inTime = true;
    if (child !== undefined && isRunning(child)) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => {
        inTime = false;
        child.kill('SIGKILL');
      }, limitMs);
      await ended;
      clearTimeout(timer);
    }
    this.#callOff();
    return inTime;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child !== undefined && isRunning(child)) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    this.#callOff();
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

/** Whether a server accepts connections on this port. */
export function answers(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
