import { request as overTcp } from 'node:http';
import { request as overTls } from 'node:https';

/** How long the answer may take, in ms; container engines give a check about as long. */
const TIMEOUT = 2_000;

/** Asks a broker on this machine whether it is alive. Gives the exit code: 0 when it is. */
export function healthcheck(port: number, tls: boolean): Promise<number> {
  return new Promise((resolve) => {
    const request = tls ? overTls : overTcp;
    // The certificate is for the broker's name and not for this address, and says nothing about its health: a broker
    // does not get better by being restarted when it expires. Nothing secret is sent.
    const unchecked = { rejectUnauthorized: false };
    const outgoing = request(
      { host: '127.0.0.1', port, path: '/livez', timeout: TIMEOUT, ...(tls && unchecked) },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200 ? 0 : 1);
      },
    );
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve(1));
    outgoing.end();
  });
}
