import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterExit } from './after-exit.ts';
import { freePort } from './free-port.ts';

/** One series of the answer to an instant query, or the only sample. */
interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Prometheus {
  /** @throws Error with Prometheus' message when it rejects the expression */
  query(expression: string): Promise<readonly Sample[]>;
  /** Returns `data` of the answer to GET `path`, below `/api/v1`. */
  get(path: string): Promise<unknown>;
  stop(): Promise<void>;
}

interface Options {
  /** `host:port` of each replica. */
  readonly targets: readonly string[];
  readonly rulesFile: string;
  /** The interval of scrapes and evaluations, in Prometheus' notation. */
  readonly interval: string;
}

/** How long it may take to start, in ms. */
const START_TIMEOUT_MS = 20_000;

/** Starts a Prometheus process that scrapes `targets` as the job `sluice`. Stop it in `afterAll`. */
export async function startPrometheus({ targets, rulesFile, interval }: Options): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-prometheus-'));
  const config = join(folder, 'prometheus.yml');
  await writeFile(
    config,
    // JSON is valid YAML.
    JSON.stringify({
      global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
      rule_files: [rulesFile],
      scrape_configs: [{ job_name: 'sluice', static_configs: [{ targets }] }],
    }),
  );
  const port = await freePort();
  const child = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ],
    { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const said: string[] = [];
  child.stderr.on('data', (data: Buffer) => said.push(data.toString()));
  const ended = once(child, 'close');
  const callOff = afterExit('kill -9 "$1"; rm -rf "$2"', String(child.pid), folder);
  const url = `http://127.0.0.1:${port}`;

  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(`${url}/api/v1${path}`);
    const answer = (await response.json()) as { status: string; error?: string; data: unknown };
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  };
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    callOff();
    await rm(folder, { recursive: true, force: true });
  };

  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!(await isReady(url))) {
    if (child.exitCode === null && performance.now() < deadline) {
      await delay(50);
      continue;
    }
    await stop();
    throw new Error(`prometheus does not start:\n${said.join('')}`);
  }
  return {
    get,
    stop,
    async query(expression) {
      const data = await get(`/query?${new URLSearchParams({ query: expression }).toString()}`);
      const { result } = data as { result: { metric: Record<string, string>; value: [number, string] }[] };
      return result.map(({ metric, value }) => ({
        metric,
        value: Number(value[1].replace('Inf', 'Infinity')),
      }));
    },
  };
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/-/ready`)).ok;
  } catch {
    return false;
  }
}
