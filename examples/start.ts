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
 * - `PORT`: the port of the page, 0 for any. The broker then takes any port, too. Without it, the page takes 8080 if it is free.
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
const REQUEST_TIMEOUT_MS = 5_000;
/** Taken if they are free. 3000 stays free for `npm start`. */
const PREFERRED = { page: 8080, broker: 8081 };
const OWN_BROKER = 'http://localhost:3000';
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

/** Ends the command with a line that says what is wrong. */
function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

/** Returns the port that `PORT` names. Without it, returns 8080 if it is free, else any port. */
async function choosePagePort(PORT = ''): Promise<number> {
  if (PORT === '') {
    const port = await choosePort(PREFERRED.page);
    if (port !== PREFERRED.page) console.error(`Port ${PREFERRED.page} is taken. The page takes ${port}.`);
    return port;
  }
  if (!/^\d{1,5}$/.test(PORT) || Number(PORT) > 65_535)
    fail(`PORT is "${PORT}". It must be a whole number from 0 to 65535, 0 for any free port.`);
  const port = Number(PORT);
  if (port === 0) return await choosePort(0);
  const fault = await findPortFault(port);
  if (fault !== undefined) fail(`Port ${port} cannot be used: ${fault}. Set PORT to another one, or to 0.`);
  return port;
}

/** Returns the preferred port if it is free, else a random port that was free a moment ago. */
async function choosePort(preferred: number): Promise<number> {
  if (preferred !== 0 && (await findPortFault(preferred)) === undefined) return preferred;
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    if ((await findPortFault(port)) === undefined) return port;
  }
}

/** Why this process cannot listen on a port; undefined if it can. */
async function findPortFault(port: number): Promise<string | undefined> {
  const server = createServer();
  try {
    // A server that listens on all addresses is in the way, too.
    await once(server.listen(port), 'listening');
    return undefined;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return { EADDRINUSE: 'it is taken', EACCES: 'this user may not listen on it' }[code] ?? code;
  } finally {
    server.close();
  }
}

/** Checks a broker that runs already: where it is, and whether it takes the key. The messages never contain the key. */
async function useBroker(given: string, givenKey = ''): Promise<StartedBroker> {
  const parsed = URL.parse(given);
  // The backend tells its page this address.
  if (parsed !== null && (parsed.username !== '' || parsed.password !== ''))
    fail('SLUICE_URL must not have a user or a password in it.');
  if (parsed === null || !['http:', 'https:'].includes(parsed.protocol))
    fail(`SLUICE_URL is "${given}". It must be an address such as ${OWN_BROKER}.`);
  const url = (parsed.origin + parsed.pathname).replace(/\/+$/, '');
  const key = givenKey.trim();
  if (key === '') fail('SLUICE_URL is set. It needs SLUICE_KEY, a publish key of this broker.');
  if (!/^[\x21-\x7e]+$/.test(key)) fail('SLUICE_KEY has a character that no publish key has.');
  const response = await fetch(`${url}/status`, {
    headers: { authorization: `Bearer ${key}` },
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  }).catch((error: Error) => {
    const { code = error.name } = (error.cause ?? {}) as NodeJS.ErrnoException;
    return fail(`No broker answers at ${url} (${code}).`);
  });
  await response.body?.cancel();
  if ([401, 403].includes(response.status)) fail(`The broker at ${url} refuses SLUICE_KEY.`);
  if (!response.ok)
    fail(`${url}/status answered ${response.status}. SLUICE_URL must be the address of a Sluice broker.`);
  return { url, key };
}

/** Says how to use a broker that `npm start` has started. */
async function mentionOwnBroker(): Promise<void> {
  const answer = await fetch(`${OWN_BROKER}/livez`, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) })
    .then((response) => response.text())
    .catch(() => '');
  if (answer !== '{"status":"live"}') return;
  console.error(
    `A broker runs at ${OWN_BROKER}, too. To use that one, set SLUICE_URL=${OWN_BROKER} and SLUICE_KEY.`,
  );
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
  const { PORT, SLUICE_URL, SLUICE_KEY } = process.env;
  const running = SLUICE_URL ? await useBroker(SLUICE_URL, SLUICE_KEY) : undefined;
  const pagePort = await choosePagePort(PORT);
  // Without the port where it is that of http, as in the header Origin.
  const { origin: page } = new URL(`http://localhost:${pagePort}`);
  buildClient();
  const settingsFile = join(import.meta.dirname, name, 'broker.env');
  const settings = {
    ...(existsSync(settingsFile) && parseEnv(readFileSync(settingsFile, 'utf8'))),
    SLUICE_CORS_ORIGINS: `${page},${new URL(`http://127.0.0.1:${pagePort}`).origin}`,
    ...process.env,
  };
  let backendRuns = false;
  const onReady = (ready: StartedBroker): void => {
    if (backendRuns) report(page, ready);
  };
  const brokerPort = PORT === undefined ? PREFERRED.broker : 0;
  const broker = running ?? (await startBroker(settings, await choosePort(brokerPort), onReady));
  // The backend is a program of its own, with these settings.
  Object.assign(process.env, { PORT: String(pagePort), SLUICE_URL: broker.url, SLUICE_KEY: broker.key });
  await import(`./${name}/backend.mjs`);
  await waitForPage(page);
  backendRuns = true;
  if (running === undefined) await mentionOwnBroker();
  report(page, broker);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(0));
if (process.env['npm_lifecycle_event'] !== undefined) {
  const npm = process.ppid;
  setInterval(() => process.ppid === npm || process.exit(0), PARENT_CHECK_MS).unref();
}

const [name, ...others] = process.argv.slice(2);
const examples = listExamples();
const fault =
  others.length > 0
    ? 'npm run example takes one name.'
    : name !== undefined && !examples.has(name) && `There is no example ${name}.`;
if (name !== undefined && !fault) await start(name);
else {
  if (fault) console.error(`${fault}\n`);
  console.log('npm run example <name>\n');
  for (const [one, title] of examples) console.log(`  ${one.padEnd(16)}${title}`);
  process.exitCode = fault ? 1 : 0;
}
