import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterExit } from './after-exit.ts';
import { createAuthority } from './certificates.ts';
import { edgePrograms, edgeTraits } from './edge-programs.ts';
import type { EdgeName } from './edge-programs.ts';
import { serverPorts } from './server-ports.ts';

const ANSWER_TIMEOUT_MS = 20_000;

/** A proxy in front of two replicas, with the configuration in `deploy/`. */
export interface Edge {
  /** `http://127.0.0.1:<port>`, where it speaks HTTP/1.1. */
  readonly url: string;
  /** `https://localhost:<port>`, where it speaks HTTP/2; its certificate is signed by nobody known. Nobody listens
   *  there where the proxy has no TLS of its own. */
  readonly secureUrl: string;
  stop(): Promise<void>;
}

export interface EdgeOptions {
  /** `host:port` of the two replicas. */
  readonly replicas: readonly [string, string];
  /** The port for health, the same at both. */
  readonly adminPort: number;
  /** How long it puts up with a stream without a byte, in its own words; as documented by default. */
  readonly silence?: string;
  /** Compresses whatever the configuration does not keep it from; off by default. */
  readonly compression?: boolean;
}

/** Starts the proxy and resolves once it takes connections; rejects with what it said when it ends before. */
export async function startEdge(name: EdgeName, options: EdgeOptions): Promise<Edge> {
  const folder = await mkdtemp(join(tmpdir(), `sluice-${name}-`));
  const [port = 0, securePort = 0] = await serverPorts(2);
  const { cert, key } = createAuthority().issue();
  const place = { silence: '60s', compression: false, ...options, folder, port, securePort };
  const { files, changes, command } = edgePrograms[name](place);
  const documented = await Promise.all(
    files.map((file) => readFile(new URL(`../../deploy/${file}`, import.meta.url), 'utf8')),
  );
  await Promise.all([
    writeFile(join(folder, files[0]), changed(documented[0] ?? '', changes)),
    ...files.slice(1).map((file, i) => writeFile(join(folder, file), documented[i + 1] ?? '')),
    writeFile(join(folder, 'sluice.crt'), cert),
    writeFile(join(folder, 'sluice.key'), key),
    writeFile(join(folder, 'sluice.pem'), cert + key),
  ]);

  const log = await open(join(folder, 'log'), 'w');
  const [program, ...args] = command;
  const child = spawn(program, args, {
    stdio: ['ignore', log.fd, log.fd],
    env: { PATH: process.env['PATH'], HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  });
  await log.close();
  const gone = new AbortController();
  child.once('error', () => gone.abort());
  child.once('exit', () => gone.abort());
  // SIGTERM and no more: nginx's master takes its workers with it.
  const callOff = afterExit('kill "$1"; rm -rf "$2"', String(child.pid), folder);
  const stop = async (): Promise<void> => {
    if (!gone.signal.aborted) {
      const exit = once(child, 'exit');
      child.kill();
      await exit;
    }
    callOff();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const ports = edgeTraits[name].http2Streams === 0 ? [port] : [port, securePort];
    await Promise.all(ports.map((one) => listening(one, gone.signal)));
  } catch (error) {
    const said = await readFile(join(folder, 'log'), 'utf8');
    await stop();
    throw new Error(`${name} did not start; it said:\n${said}`, { cause: error });
  }
  return { url: `http://127.0.0.1:${port}`, secureUrl: `https://localhost:${securePort}`, stop };
}

/** What is tested is what is documented: nothing but places and times is changed, and each of them is there. */
function changed(text: string, changes: readonly (readonly [string, string])[]): string {
  return changes.reduce((before, [from, to]) => {
    if (!before.includes(from)) throw new Error(`the configuration does not say "${from}" any more`);
    return before.replaceAll(from, to);
  }, text);
}

async function listening(port: number, gone: AbortSignal): Promise<void> {
  const signal = AbortSignal.any([gone, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch {
      // Nothing listens there yet.
      await delay(20, undefined, { signal });
    } finally {
      socket.destroy();
    }
  }
}
