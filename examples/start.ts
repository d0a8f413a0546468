import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseEnv } from 'node:util';

/**
 * `npm run example <name>` starts a broker and the backend of an example. It ends both on Ctrl-C. These variables change that:
 *
 * - `SLUICE_URL` and `SLUICE_KEY`: a broker that runs already, which allows the origin of the page and can make tokens.
 * - `PORT`: the port of the page, 0 for any. The broker then takes any port, too.
 * - `EXAMPLE_OUTPUT=json`: for programs. Each time the broker is ready, stdout gets a line of JSON with the `page`, and with
 *   the `broker`, its `key` and its `brokerPid`.
 */
const ROOT = join(import.meta.dirname, '..');
const MAIN = join(ROOT, 'src/main.ts');
/** Ends the broker when this process is gone, for whatever reason: its stdin is a pipe from this process. */
const END_WITH_STDIN = 'data:text/javascript,process.stdin.on("end",()=>process.exit()).resume()';
/** How long a broker that has ended stays away, in ms. A person can see what the page does meanwhile. */
const RESTART_MS = 1_000;
const PARENT_CHECK_MS = 1_000;
const PAGE_CHECK_MS = 20;
/** Of pino. */
const WARN_LEVEL = 40;
/** The system gives no port of this range to a program that asks for any port. */
const PORTS = { first: 10_000, count: 20_000 };

interface StartedBroker {
  readonly url: string;
  readonly key: string;
  readonly pid?: number | undefined;
}

/** The names of the examples, each with the title of its README. */
function listExamples(): Map<string, string> {
  const folders = globSync('*/backend.mjs', { cwd: import.meta.dirname })
    .map(dirname)
    .toSorted();
  return new Map(
    folders.map((name) => {
      const [title = ''] = readFileSync(join(import.meta.dirname, name, 'README.md'), 'utf8').split('\n', 1);
      return [basename(name), title.replace('# ', '')];
    }),
  );
}

/** Builds the client when it is missing or older than its sources. */
function buildClient(): void {
  const timeOf = (path: string): number => statSync(join(ROOT, 'client', path)).mtimeMs;
  const sources = globSync('src/*.ts', { cwd: join(ROOT, 'client') });
  const upToDate = sources.every((source) => {
    const built = source.replace('src/', 'dist/').replace('.ts', '.js');
    return existsSync(join(ROOT, 'client', built)) && timeOf(built) >= timeOf(source);
  });
  if (upToDate) return;
  console.error('Building the client.');
  execFileSync('npm', ['run', '--silent', 'prepack', '--workspace', '@sluice/client'], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** Returns the preferred port if it is free, else a random port that was free a moment ago. */
async function choosePort(preferred: number): Promise<number> {
  if (preferred !== 0 && (await isFree(preferred))) return preferred;
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    // A server that listens on all addresses is in the way, too.
    await once(server.listen(port), 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/** Starts a broker that allows the page, and starts it again when it ends. `onReady` is called each time. */
async function startBroker(
  settings: NodeJS.Dict<string>,
  port: number,
  onReady: (broker: StartedBroker) => void,
): Promise<StartedBroker> {
  const key = randomBytes(24).toString('base64url');
  const env = {
    SLUICE_JWT_SECRET: randomBytes(32).toString('hex'),
    SLUICE_DRAIN_WINDOW: '0s',
    ...settings,
    HOST: '127.0.0.1',
    PORT: String(port),
    SLUICE_PUBLISH_KEYS: key,
  };
  return await new Promise((resolve) => {
    const run = (): void => {
      let listens = false;
      const args = ['--import', END_WITH_STDIN, MAIN];
      const child = spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
      createInterface({ input: child.stdout }).on('line', (line) => {
        const { level, msg, url } = JSON.parse(line) as { level: number; msg: string; url?: string };
        if (level >= WARN_LEVEL) console.error(line);
        if (msg !== 'sluice is listening' || url === undefined) return;
        listens = true;
        const broker = { url, key, pid: child.pid };
        resolve(broker);
        onReady(broker);
      });
      child.once('exit', () => {
        // The broker has said on stderr why it cannot start.
        if (!listens) process.exit(1);
        console.error('The broker has ended. It is started again.');
        setTimeout(run, RESTART_MS);
      });
    };
    run();
  });
}

function report(page: string, { url, key, pid }: StartedBroker): void {
  if (process.env['EXAMPLE_OUTPUT'] === 'json') {
    console.log(JSON.stringify({ page, broker: url, key, brokerPid: pid }));
    return;
  }
  console.log(`Open ${page}`);
  console.log(`The broker is ${url}, its publish key is ${key}. Ctrl-C ends the example.`);
}

/** Waits until the backend listens. It has begun to, but looks up the address of `localhost` first. */
async function waitForPage(page: string): Promise<void> {
  const answers = async (): Promise<boolean> =>
    await fetch(page, { method: 'HEAD', redirect: 'manual' }).then(
      () => true,
      () => false,
    );
  while (!(await answers())) await delay(PAGE_CHECK_MS);
}

async function start(name: string): Promise<void> {
  buildClient();
  const { PORT, SLUICE_URL, SLUICE_KEY = '' } = process.env;
  const pagePort = await choosePort(Number(PORT ?? 8080));
  const page = `http://localhost:${pagePort}`;
  const settingsFile = join(import.meta.dirname, name, 'broker.env');
  const settings = {
    ...(existsSync(settingsFile) && parseEnv(readFileSync(settingsFile, 'utf8'))),
    SLUICE_CORS_ORIGINS: `${page},http://127.0.0.1:${pagePort}`,
    ...process.env,
  };
  let backendRuns = false;
  const onReady = (ready: StartedBroker): void => {
    if (backendRuns) report(page, ready);
  };
  const broker =
    SLUICE_URL === undefined
      ? await startBroker(settings, await choosePort(PORT === undefined ? 3000 : 0), onReady)
      : { url: SLUICE_URL, key: SLUICE_KEY };
  // The backend is a program of its own, with these settings.
  Object.assign(process.env, { PORT: String(pagePort), SLUICE_URL: broker.url, SLUICE_KEY: broker.key });
  await import(`./${name}/backend.mjs`);
  await waitForPage(page);
  backendRuns = true;
  report(page, broker);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(0));
if (process.env['npm_lifecycle_event'] !== undefined) {
  const npm = process.ppid;
  setInterval(() => process.ppid === npm || process.exit(0), PARENT_CHECK_MS).unref();
}

const [name] = process.argv.slice(2);
const examples = listExamples();
if (name !== undefined && examples.has(name)) await start(name);
else {
  console.log('npm run example <name>\n');
  for (const [one, title] of examples) console.log(`  ${one.padEnd(16)}${title}`);
  process.exitCode = name === undefined ? 0 : 1;
}
