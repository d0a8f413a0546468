import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { freePort } from '../../test/support/free-port.ts';
import type { Peer } from './peer.ts';
import { ServerProcess } from './server-process.ts';

/** A variable, because the package is not a dependency of Sluice, and the linter would miss it in package.json. */
const PACKAGE: string = ['better', 'sse'].join('-');

/**
 * A small Node server with better-sse (https://github.com/MatthewWid/better-sse), as an application would write it: events stay
 * in the process, and there is no history. `folder` is where the package is installed; default: this checkout.
 */
export function betterSsePeer(folder: string | undefined): Peer {
  const find = (): string | undefined => {
    try {
      const from = folder === undefined ? import.meta.url : pathToFileURL(join(folder, 'any.js'));
      return createRequire(from).resolve(PACKAGE);
    } catch {
      return undefined;
    }
  };
  return {
    name: 'better-sse',
    logs: ['memory'],
    resumes: false,
    batches: false,
    manyChannels: false,
    compresses: false,
    missing: () =>
      find() === undefined
        ? 'npm install better-sse in a folder of its own, and give --better-sse FOLDER'
        : undefined,
    start: async ({ folder: cwd }) => {
      const port = await freePort();
      const server = await ServerProcess.start({
        command: process.execPath,
        args: [fileURLToPath(new URL('better-sse-server.ts', import.meta.url)), String(port), find() ?? ''],
        cwd,
        env: { ...process.env, NODE_ENV: 'production' },
        port,
      });
      return {
        servers: [server],
        wire: {
          subscribe: { path: '/{channel}', headers: '' },
          publish: { path: '/{channel}', headers: '', body: '{data}' },
          probe: '/probe',
        },
      };
    },
  };
}
