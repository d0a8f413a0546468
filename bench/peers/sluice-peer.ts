import { existsSync, realpathSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port.ts';
import { headerLines } from '../load/wire.ts';
import type { Wire } from '../load/wire.ts';
import { LOG_KINDS } from './peer.ts';
import type { Ground, Peer, RunningPeer } from './peer.ts';
import { ServerProcess } from './server-process.ts';

const KEY = 'the-key-of-the-benchmark';
const EVENT = '{"channel":"{channel}","data":"{data}"}';
const WIRE: Wire = {
  subscribe: { path: '/events/{channel}', headers: '' },
  publish: {
    path: '/publish',
    headers: headerLines({ Authorization: `Bearer ${KEY}`, 'Content-Type': 'application/json' }),
    body: EVENT,
  },
  publishMany: { path: '/publish', before: '[', item: EVENT, between: ',', after: ']' },
  subscribeMany: { before: '/events?', item: 'channel={channel}', between: '&', after: '' },
  ready: 'event: sluice:ready',
  resume: { header: 'Last-Event-ID' },
  probe: '/livez',
};

/** The broker of the checkout in `project`, with that checkout's Node and default settings. */
export function sluicePeer(name: string, project: string): Peer {
  const main = join(project, 'src/main.ts');
  const node = join(project, 'node_modules/.bin/node');
  return {
    name,
    logs: LOG_KINDS,
    resumes: true,
    batches: true,
    manyChannels: true,
    compresses: true,
    missing: () => (existsSync(main) ? undefined : `${main} is not there: give the folder of a checkout`),
    start: async ({ log, redisPort, folder }: Ground): Promise<RunningPeer> => {
      const replicas = log === 'redis2' ? 2 : 1;
      const dataFolder = log === 'disk' ? join(folder, 'data') : undefined;
      if (dataFolder !== undefined) await mkdir(dataFolder);
      const servers: ServerProcess[] = [];
      for (let i = 0; i < replicas; i++) {
        const port = await freePort();
        servers.push(
          await ServerProcess.start({
            command: existsSync(node) ? realpathSync(node) : process.execPath,
            args: [main],
            cwd: folder,
            env: environment(port, redisPort, dataFolder),
            port,
          }),
        );
      }
      return {
        servers,
        wire: WIRE,
      };
    },
  };
}

/** Leaves out the settings in the environment of the person who runs the benchmark. */
function environment(
  port: number,
  redisPort: number | undefined,
  dataFolder: string | undefined,
): NodeJS.ProcessEnv {
  const others = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('SLUICE_') && !name.startsWith('REDIS_'),
  );
  return {
    ...Object.fromEntries(others),
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    PORT: String(port),
    LOG_LEVEL: 'warn',
    SLUICE_PUBLISH_KEYS: KEY,
    ...(dataFolder !== undefined && { SLUICE_DATA_DIR: dataFolder }),
    ...(redisPort !== undefined && { REDIS_URL: `redis://127.0.0.1:${redisPort}` }),
  };
}
