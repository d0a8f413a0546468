import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterExit } from '../../test/support/after-exit.ts';
import { answers } from '../peers/server-process.ts';
import type { System, SystemNode, SystemSource, SystemWire } from './system.ts';

/** How long a command of the user, and a node that it starts or stops, may take, in ms. */
const COMMAND_LIMIT_MS = 30_000;
const POLL_MS = 50;

/** Shell commands for one node. */
interface NodeCommands {
  readonly kill: string | undefined;
  readonly start: string | undefined;
  readonly stop: string | undefined;
}

export interface GivenNode {
  readonly subscribeUrl: string;
  readonly publishUrl: string;
  readonly commands: NodeCommands;
}

/** A system that runs already. Nobody has to start it, and it goes on running after the torture. */
export function givenSystem(nodes: readonly [GivenNode, ...GivenNode[]], wire: SystemWire): SystemSource {
  const [first, ...others] = nodes.map((node, index) => new CommandedNode(node, `node ${index + 1}`)) as [
    CommandedNode,
    ...CommandedNode[],
  ];
  return {
    name: new URL(first.subscribeUrl).host,
    settings: 'as given',
    promise: 'as given',
    missing: () => undefined,
    start: async (): Promise<System> => {
      for (const node of [first, ...others]) await node.comeBack();
      return {
        name: new URL(first.subscribeUrl).host,
        nodes: [first, ...others],
        wire,
        stop: () => Promise.resolve(),
      };
    },
  };
}

/** A node that shell commands kill, stop and start. */
class CommandedNode implements SystemNode {
  readonly name: string;
  readonly subscribeUrl: string;
  readonly publishUrl: string;
  readonly kill?: () => Promise<void>;
  readonly terminate?: () => Promise<boolean>;
  readonly start?: () => Promise<void>;
  #isDown = false;

  constructor({ subscribeUrl, publishUrl, commands }: GivenNode, name: string) {
    this.name = name;
    this.subscribeUrl = subscribeUrl;
    this.publishUrl = publishUrl;
    const { kill, stop, start } = commands;
    if (kill !== undefined)
      this.kill = async () => {
        this.#isDown = true;
        await finished(kill);
      };
    if (stop !== undefined)
      this.terminate = async () => {
        this.#isDown = true;
        await finished(stop);
        return await this.#becomes(false);
      };
    if (start !== undefined)
      this.start = async () => {
        // The command may stay in the foreground, so the node's port says when the node has started.
        const child = shell(start);
        if (!(await this.#becomes(true, child)))
          throw new Error(`${name} does not accept connections after --start-cmd.`);
        this.#isDown = false;
      };
  }

  /** Starts the node when an earlier scenario has left it down. */
  async comeBack(): Promise<void> {
    if (!this.#isDown) return;
    if (this.start === undefined)
      throw new Error(`${this.name} was killed by an earlier scenario, and there is no --start-cmd for it.`);
    await this.start();
  }

  async #becomes(up: boolean, child?: ChildProcess): Promise<boolean> {
    const { hostname, port, protocol } = new URL(this.subscribeUrl);
    const limit = performance.now() + COMMAND_LIMIT_MS;
    while ((await answers(Number(port) || (protocol === 'https:' ? 443 : 80), hostname)) !== up) {
      if (performance.now() > limit || (child?.exitCode ?? 0) !== 0) return false;
      await delay(POLL_MS);
    }
    return true;
  }
}

/** Starts a shell command. What it starts in the foreground ends with this process. */
function shell(command: string): ChildProcess {
  const child = spawn('sh', ['-c', command], { stdio: 'ignore', detached: true });
  const callOff = afterExit('kill -9 "-$1"', String(child.pid));
  child.once('exit', callOff);
  child.unref();
  return child;
}

async function finished(command: string): Promise<void> {
  const child = shell(command);
  const [code] = (await once(child, 'exit', { signal: AbortSignal.timeout(COMMAND_LIMIT_MS) })) as [
    number | null,
  ];
  if (code !== 0) throw new Error(`The command "${command}" ended with ${code}.`);
}
