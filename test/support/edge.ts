import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectOverTls } from 'node:tls';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterExit } from './after-exit.ts';
import { createAuthority } from './certificates.ts';
import { edgePrograms, edgeTraits } from './edge-programs.ts';
import type { EdgeName } from './edge-programs.ts';
import { serverPorts } from './server-ports.ts';

const ANSWER_TIMEOUT_MS = 20_000;

/** A proxy in front of two replicas, with its configuration from `deploy/`. */
export interface Edge {
  /** `http://127.0.0.1:<port>`, the HTTP/1.1 address. */
  readonly url: string;
  /**
   * `https://localhost:<port>`, the HTTP/2 address, with a certificate that no client trusts. Nothing listens
   * there when the proxy has no TLS.
   */
  readonly secureUrl: string;
  stop(): Promise<void>;
}

export interface EdgeOptions {
  /** `host:port` of the two replicas. */
  readonly replicas: readonly [string, string];
  /** The port for health checks; both replicas use the same one. */
  readonly adminPort: number;
  /** The proxy's time-out for a silent stream, in the syntax of its configuration; by default as documented. */
  readonly silence?: string;
  /** Turns compression on for everything that the configuration does not exclude; off by default. */
  readonly compression?: boolean;
}

/** Starts the proxy and resolves once it accepts connections. Rejects with the proxy's output when it ends before. */
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
  // Sends SIGTERM, not SIGKILL: nginx's master then also ends its workers.
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
    const opened = [accepts(() => connect(port, '127.0.0.1'), 'connect', gone.signal)];
    // A proxy may listen before it has made its certificate. It refuses handshakes meanwhile.
    const secure = { port: securePort, servername: 'localhost', rejectUnauthorized: false };
    if (edgeTraits[name].http2Streams > 0)
      opened.push(accepts(() => connectOverTls(secure), 'secureConnect', gone.signal));
    await Promise.all(opened);
  } catch (error) {
    const said = await readFile(join(folder, 'log'), 'utf8');
    await stop();
    throw new Error(`${name} did not start; it said:\n${said}`, { cause: error });
  }
  return { url: `http://127.0.0.1:${port}`, secureUrl: `https://localhost:${securePort}`, stop };
}

/**
 * Replaces only places and times, so that the tests run the documented configuration. Throws when a text is missing.
 */
function changed(text: string, changes: readonly (readonly [string, string])[]): string {
  return changes.reduce((before, [from, to]) => {
    if (!before.includes(from)) throw new Error(`the configuration does not say "${from}" any more`);
    return before.replaceAll(from, to);
  }, text);
}

/** Resolves once a connection succeeds. */
async function accepts(attempt: () => Socket, event: string, gone: AbortSignal): Promise<void> {
  const signal = AbortSignal.any([gone, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
  for (;;) {
    const socket = attempt();
    try {
      await once(socket, event);
      return;
    } catch {
      // The proxy does not listen yet.
      await delay(20, undefined, { signal });
    } finally {
      socket.destroy();
    }
  }
}
