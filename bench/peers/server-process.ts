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
  readonly pid: number;
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #callOff: () => void;
  #output = '';

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
    this.pid = child.pid ?? 0;
    this.#callOff = afterExit('kill -9 "$1"', String(this.pid));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-KEPT_OUTPUT);
      });
    }
  }

  /** @throws Error with the server's output, when the server ends or does not listen in time */
  static async start({ command, args, env, cwd, port }: ServerOptions): Promise<ServerProcess> {
    const child = spawn(command, args, { cwd, env: env ?? process.env, stdio: ['ignore', 'pipe', 'pipe'] });
    await once(child, 'spawn');
    const server = new ServerProcess(child, port);
    const limit = performance.now() + START_LIMIT_MS;
    while (!(await answers(port))) {
      if (!server.#running || performance.now() > limit) {
        await server.stop();
        throw new Error(`${command} does not listen on ${port}:\n${server.#output}`);
      }
      await delay(50);
    }
    return server;
  }

  async stop(): Promise<void> {
    if (this.#running) {
      this.#child.kill('SIGKILL');
      await once(this.#child, 'exit');
    }
    this.#callOff();
  }

  get #running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
