import { request as overTcp } from 'node:http';
import { request as overTls } from 'node:https';
import { say } from './say.ts';

/** How long the answer of one address may take, in ms; container engines give a check some 5 s. */
const TIMEOUT = 2_000;
/** Every address of the machine, in the ways in which it is written. */
const ALL_IPV4 = new Set(['0.0.0.0', '0']);
const ALL = new Set(['::', '::0', '0:0:0:0:0:0:0:0']);

export interface Listening {
  /** HOST as it was given. */
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

/** Asks the broker that listens there whether it is alive. Gives the exit code: 0 when it is; otherwise a line on stderr says why not. */
export async function healthcheck({ host, port, tls }: Listening): Promise<number> {
  if (port === 0) {
    say(
      'stderr',
      'sluice: the port is 0, so nobody knows which one it is: set one to have its health checked\n',
    );
    return 1;
  }
  const faults: string[] = [];
  for (const address of addressesOf(host)) {
    const fault = await ask(address, port, tls);
    if (fault === undefined) return 0;
    faults.push(`${address} port ${port}: ${fault}`);
  }
  say('stderr', `sluice: the broker does not answer (${faults.join('; ')})\n`);
  return 1;
}

/** Where to reach what listens on this host. A container may have no address of IPv6, and what listens on all is then on those of IPv4. */
function addressesOf(host: string): readonly string[] {
  if (ALL_IPV4.has(host)) return ['127.0.0.1'];
  return ALL.has(host) ? ['127.0.0.1', '::1'] : [host];
}

/** Gives what is wrong. */
function ask(host: string, port: number, tls: boolean): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = tls ? overTls : overTcp;
    // The certificate is for the broker's name and not for this address, and says nothing about its health: a broker
    // does not get better by being restarted when it expires. Nothing secret is sent.
    const unchecked = { rejectUnauthorized: false };
    const outgoing = request(
      {
        host,
        port,
        path: '/livez',
        timeout: TIMEOUT,
        // A zone of an address belongs into no header.
        headers: { host: 'localhost' },
        // None that the environment has given a proxy.
        agent: false,
        ...(tls && unchecked),
      },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200 ? undefined : `the answer is ${response.statusCode}`);
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${TIMEOUT / 1_000} s`)));
    outgoing.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    outgoing.end();
  });
}
