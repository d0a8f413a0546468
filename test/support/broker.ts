import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { afterExit } from './after-exit.ts';
import { CACHE, PROGRAM } from './started-program.ts';

/** How the process ended: one of the two fields is null. */
interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A broker in a process of its own, as it runs in production. */
export interface Broker {
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** The URL of metrics and health, when SLUICE_ADMIN_PORT is set. */
  readonly adminUrl: string | undefined;
  /** A publish key. */
  readonly key: string;
  readonly pid: number;
  /** The name of the replica. */
  readonly replica: string;
  /** Resolves when the process has ended, for any reason. */
  readonly exit: Promise<Exit>;
  /** Publishes and returns the event's id. Throws for any answer but 200, and tries again when Redis only was too slow. */
  publish(channel: string, data: unknown, event?: string): Promise<string>;
  /** Sends the signal (SIGTERM by default) and waits for the exit. */
  stop(signal?: NodeJS.Signals): Promise<Exit>;
  /** Sends SIGKILL and waits for the exit. */
  kill(): Promise<Exit>;
  /** Every line that the process has written to stdout and stderr so far. */
  log(): string[];
  /** Resolves with the first line that contains `text`. */
  logged(text: string): Promise<string>;
}

type Environment = Readonly<Record<string, string>>;

/**
 * The drain window is 0, so that stopping a broker takes no time; set SLUICE_DRAIN_WINDOW to test a drain. Failed
 * authentications have no limit, because all tests come from one address; set SLUICE_FAILED_AUTH_LIMIT to '' for the
 * default.
 */
const DEFAULTS: Environment = {
  HOST: '127.0.0.1',
  PORT: '0',
  SLUICE_PUBLISH_KEYS: 'the-key-of-the-tests',
  SLUICE_DRAIN_WINDOW: '0s',
  SLUICE_FAILED_AUTH_LIMIT: 'off',
  // Node keeps the compiled modules there: a start takes three fifths of the time.
  NODE_COMPILE_CACHE: CACHE,
};

/** A folder for SLUICE_DATA_DIR. */
export interface DataFolder {
  readonly path: string;
  remove(): Promise<void>;
}

/** A new folder for SLUICE_DATA_DIR, which several brokers can use one after the other. Remove it in `afterAll`. */
export async function dataFolder(): Promise<DataFolder> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-data-'));
  const callOff = afterExit('rm -rf "$1"', path);
  return {
    path,
    async remove() {
      callOff();
      await rm(path, { recursive: true, force: true });
    },
  };
}

/**
 * Starts the bundle of `src/main.ts`, or another program, and resolves once it listens. Rejects with all output when the process
 * ends before. The process gets the defaults above and `env`, and no other variables; `env` wins. Stop the broker in `afterAll`. `onSpawned`
 * gets the process while it starts.
 */
export async function startBroker(
  env: Environment = {},
  onSpawned: (pid: number) => void = () => undefined,
  program: readonly string[] = [PROGRAM],
): Promise<Broker> {
  const merged = { ...DEFAULTS, ...env };
  const folder = await mkdtemp(join(tmpdir(), 'sluice-broker-'));
  const child = spawn(process.execPath, program, {
    cwd: folder,
    env: merged,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const callOff = afterExit('kill -9 "$1"; rm -rf "$2"', String(child.pid), folder);
  onSpawned(child.pid ?? 0);
  const output = new Output(child);
  const exit = exitOf(child, async () => {
    callOff();
    await rm(folder, { recursive: true, force: true });
  });
  const started = await output.find('"sluice is listening"');
  const { url, adminUrl, replica } = JSON.parse(started) as {
    url: string;
    adminUrl?: string;
    replica: string;
  };
  const end = async (signal: NodeJS.Signals): Promise<Exit> => {
    child.kill(signal);
    return await exit;
  };
  const key = merged['SLUICE_PUBLISH_KEYS']?.split(',')[0] || generatedKey(output.lines);
  const logsRedis =
    merged['REDIS_URL'] !== undefined && ['debug', 'info'].includes(merged['LOG_LEVEL'] ?? 'info');
  return {
    url,
    port: Number(new URL(url).port),
    adminUrl,
    key,
    pid: child.pid ?? 0,
    replica,
    exit,
    async publish(channel, data, event) {
      // A broker listens before it has a connection to Redis. It says which came first, `redis: up` or `redis: down`.
      if (logsRedis) await output.find('"redis: ');
      return publish(url, key, { channel, data, event });
    },
    stop: (signal = 'SIGTERM') => end(signal),
    kill: () => end('SIGKILL'),
    log: () => [...output.lines],
    logged: (text) => output.find(text),
  };
}

/** How often a publish is tried while a busy machine keeps Redis from answering in time. */
const ATTEMPTS = 5;

async function publish(url: string, key: string, publication: object, attempt = 1): Promise<string> {
  const response = await fetch(`${url}/publish`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(publication),
  });
  const text = await response.text();
  const mayRepeat = response.status === 503 && text.includes('Redis does not answer. Nothing was published.');
  if (mayRepeat && attempt < ATTEMPTS) {
    await delay(Number(response.headers.get('retry-after')) * 1_000);
    return await publish(url, key, publication, attempt + 1);
  }
  if (response.status !== 200) throw new Error(`the publish was answered with ${response.status}: ${text}`);
  return (JSON.parse(text) as { id: string }).id;
}

async function exitOf(child: ChildProcess, cleanUp: () => Promise<void>): Promise<Exit> {
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  await cleanUp();
  return { code, signal };
}

/** Finds the key that a broker without SLUICE_PUBLISH_KEYS makes and logs. */
function generatedKey(lines: readonly string[]): string {
  const line = lines.find((text) => text.includes('"publishKey"')) ?? '{}';
  return (JSON.parse(line) as { publishKey?: string }).publishKey ?? '';
}

/** The output lines of a process, and the promises that wait for a line. */
class Output {
  readonly lines: string[] = [];
  readonly #waiting = new Set<() => void>();
  #ended = false;

  constructor(child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        this.#wake();
      });
    }
    child.once('close', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  find(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const line = this.lines.find((one) => one.includes(text));
        if (line !== undefined) resolve(line);
        else if (this.#ended)
          reject(new Error(`the broker ended without saying ${text}:\n${this.lines.join('\n')}`));
        else return;
        this.#waiting.delete(check);
      };
      this.#waiting.add(check);
      check();
    });
  }

  #wake(): void {
    for (const check of this.#waiting) check();
  }
}
