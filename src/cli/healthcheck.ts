import { request as overTls } from 'node:https';
import { request as overTcp } from '../node/http.ts';

/** For each address. Container engines allow about 5 s for the whole check. */
const TIMEOUT_MS = 2_000;
/** Spellings of "all addresses of the machine". */
const ALL_IPV4 = new Set(['0.0.0.0', '0']);
const ALL_IPV4_AND_IPV6 = new Set(['::', '::0', '0:0:0:0:0:0:0:0']);

export interface Listening {
  /** The value of HOST. */
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

/** Asks the broker for /livez. Returns undefined when the broker is alive, else what is wrong. */
export async function healthcheck({ host, port, tls }: Listening): Promise<string | undefined> {
  if (port === 0)
    return 'PORT is 0, so the system picked the port and the health check does not know it. Set PORT to a number';
  const faults: string[] = [];
  for (const address of addressesOf(host)) {
    const fault = await ask(address, port, tls);
    if (fault === undefined) return undefined;
    faults.push(`${address} port ${port}: ${fault}`);
  }
  return `the broker does not answer (${faults.join('; ')})`;
}

/** The addresses to try. A container without IPv6 that listens on `::` is reached by IPv4. */
function addressesOf(host: string): readonly string[] {
  if (ALL_IPV4.has(host)) return ['127.0.0.1'];
  return ALL_IPV4_AND_IPV6.has(host) ? ['127.0.0.1', '::1'] : [host];
}

/** Returns what is wrong, or undefined when the broker is alive. */
function ask(host: string, port: number, tls: boolean): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = tls ? overTls : overTcp;
    // Accepts any certificate. It is issued for the broker's name and not for this address, and an expired one is no
    // reason to restart the broker. The request holds no secret.
    const unchecked = { rejectUnauthorized: false };
    const outgoing = request(
      {
        host,
        port,
        path: '/livez',
        timeout: TIMEOUT_MS,
        // The address may have a zone (%eth0), which is not allowed in a Host header.
        headers: { host: 'localhost' },
        // The global agent may use a proxy from the environment.
        agent: false,
        ...(tls && unchecked),
      },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200 ? undefined : `the answer is ${response.statusCode}`);
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS / 1_000} s`)));
    outgoing.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    outgoing.end();
  });
}
