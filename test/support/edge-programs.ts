import { join } from 'node:path';

/** Where a proxy of the tests is to listen, and what for. */
interface Place {
  /** `host:port` of each. */
  readonly replicas: readonly [string, string];
  readonly adminPort: number;
  readonly silence: string;
  readonly compression: boolean;
  readonly folder: string;
  readonly port: number;
  readonly securePort: number;
}

interface EdgeProgram {
  /** In `deploy/`. */
  readonly file: string;
  /** What its configuration says, and what it shall say in its place. */
  readonly changes: readonly (readonly [from: string, to: string])[];
  readonly command: readonly [string, ...string[]];
}

export const edgePrograms = { nginx, haproxy, caddy } as const;

export type EdgeName = keyof typeof edgePrograms;

function nginx({ replicas, silence, compression, folder, port, securePort }: Place): EdgeProgram {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(folder, kind)};`,
  );
  const gzip = compression ? ['gzip on;', 'gzip_proxied any;', 'gzip_types *;', 'gzip_min_length 1;'] : [];
  return {
    file: 'nginx.conf',
    changes: [
      ['http {', ['http {', ...temporary, ...gzip].join('\n')],
      ['sluice-1:3000', replicas[0]],
      ['sluice-2:3000', replicas[1]],
      ['listen 8080', `listen 127.0.0.1:${port}`],
      ['listen 8443', `listen 127.0.0.1:${securePort}`],
      ['/etc/nginx/sluice.', join(folder, 'sluice.')],
      ['/var/log/nginx/access.log', join(folder, 'access.log')],
      ['proxy_read_timeout 60s', `proxy_read_timeout ${silence}`],
    ],
    command: [
      'nginx',
      '-p',
      folder,
      '-e',
      'stderr',
      '-c',
      join(folder, 'nginx.conf'),
      '-g',
      // As whoever runs the tests: root's workers would be nobody, who may not write there.
      `daemon off; pid ${join(folder, 'pid')};${process.getuid?.() === 0 ? ' user root;' : ''}`,
    ],
  };
}

function haproxy({
  replicas,
  adminPort,
  silence,
  compression,
  folder,
  port,
  securePort,
}: Place): EdgeProgram {
  return {
    file: 'haproxy.cfg',
    changes: [
      ['sluice-1:3000', replicas[0]],
      ['sluice-2:3000', replicas[1]],
      ['check port 9090', `check port ${adminPort}`],
      ['bind :8080', `bind 127.0.0.1:${port}`],
      ['bind :8443', `bind 127.0.0.1:${securePort}`],
      ['/etc/haproxy/sluice.pem', join(folder, 'sluice.pem')],
      ['timeout client 60s', `timeout client ${silence}`],
      ['timeout server 60s', `timeout server ${silence}`],
      ...(compression ? [['frontend edge', 'frontend edge\n\tcompression algo gzip'] as const] : []),
    ],
    command: ['haproxy', '-db', '-f', join(folder, 'haproxy.cfg')],
  };
}

function caddy({ replicas, adminPort, silence, compression, folder, port, securePort }: Place): EdgeProgram {
  return {
    file: 'Caddyfile',
    changes: [
      ['sluice-1:3000', replicas[0]],
      ['sluice-2:3000', replicas[1]],
      ['health_port 9090', `health_port ${adminPort}`],
      [':8080 {', `:${port} {`],
      [':8443 {', `:${securePort} {`],
      ['read_timeout 60s', `read_timeout ${silence}`],
      ...(compression ? [['(replicas) {', '(replicas) {\n\tencode gzip'] as const] : []),
    ],
    command: ['caddy', 'run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')],
  };
}
