import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '../../test/support/find-program.ts';
import { freePort } from '../../test/support/free-port.ts';
import type { Peer } from './peer.ts';
import { ServerProcess } from './server-process.ts';

/** Where the packages of Debian, Ubuntu and nginx.org have the module. */
const MODULES = [
  '/usr/lib/nginx/modules/ngx_nchan_module.so',
  '/usr/lib64/nginx/modules/ngx_nchan_module.so',
  '/etc/nginx/modules/ngx_nchan_module.so',
];

/** nginx with the nchan module (https://nchan.io): one worker, and as much history as Sluice keeps by default. */
export const nchanPeer: Peer = {
  name: 'nchan',
  logs: ['memory', 'redis', 'redis2'],
  resumes: true,
  batches: false,
  manyChannels: true,
  // Tried: nchan sends the head of a stream by itself, so nginx's gzip does not come into it.
  compresses: false,
  missing: () =>
    findProgram('nginx') !== undefined && nchanModule() !== undefined
      ? undefined
      : 'needs nginx and its nchan module (Debian, Ubuntu: apt-get install nginx libnginx-mod-nchan)',
  start: async ({ log, redisPort, folder }) => {
    const servers: ServerProcess[] = [];
    for (let i = 0; i < (log === 'redis2' ? 2 : 1); i++) {
      const port = await freePort();
      const own = join(folder, `nginx-${i}`);
      const file = join(own, 'nginx.conf');
      await mkdir(join(own, 'temp'), { recursive: true });
      await writeFile(file, configuration(port, redisPort, own));
      servers.push(
        await ServerProcess.start({
          command: findProgram('nginx') ?? 'nginx',
          args: ['-e', join(own, 'error.log'), '-c', file],
          cwd: own,
          port,
        }),
      );
    }
    return {
      servers,
      wire: {
        subscribe: { path: '/sub?id={channel}', headers: '' },
        publish: { path: '/pub?id={channel}', headers: '', body: '{data}' },
        subscribeMany: { before: '/subs?id=', item: '{channel}', between: ',', after: '' },
        resume: { header: 'Last-Event-ID' },
        probe: '/livez',
      },
    };
  },
};

function nchanModule(): string | undefined {
  return MODULES.find((file) => existsSync(file));
}

function configuration(port: number, redisPort: number | undefined, folder: string): string {
  const upstream =
    redisPort === undefined
      ? ''
      : `upstream log { nchan_redis_server redis://127.0.0.1:${redisPort}; nchan_redis_storage_mode distributed; }`;
  const pass = redisPort === undefined ? '' : 'nchan_redis_pass log;';
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${join(folder, 'temp', kind)};`)
    .join(' ');
  const stream = `nchan_subscriber eventsource; ${pass} nchan_channel_id $arg_id; nchan_subscriber_first_message newest;`;
  return `load_module ${nchanModule()};
${user} daemon off; master_process off; worker_processes 1;
pid ${join(folder, 'nginx.pid')}; error_log ${join(folder, 'error.log')} warn;
events { worker_connections 65536; multi_accept on; }
http {
  access_log off; tcp_nodelay on; gzip off; keepalive_timeout 300s; keepalive_requests 100000000;
  client_body_buffer_size 128k; ${temp}
  nchan_shared_memory_size 1024M; nchan_message_timeout 1h; nchan_message_buffer_length 1000;
  ${upstream}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /pub { nchan_publisher http; ${pass} nchan_channel_id $arg_id; }
    location = /sub { ${stream} }
    location = /subs { ${stream} nchan_channel_id_split_delimiter ","; }
    location = /livez { return 200 "ok"; }
  }
}
`;
}
