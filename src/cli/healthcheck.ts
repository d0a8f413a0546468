import { request } from 'node:http';

/** How long the answer may take, in ms; container engines give a check about as long. */
const TIMEOUT = 2_000;

/** Asks a broker on this machine whether it is alive. Gives the exit code: 0 when it is. */
export function healthcheck(port: number): Promise<number> {
  return new Promise((resolve) => {
    const outgoing = request({ host: '127.0.0.1', port, path: '/livez', timeout: TIMEOUT }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? 0 : 1);
    });
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve(1));
    outgoing.end();
  });
}
