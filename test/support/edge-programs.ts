import { join } from 'node:path';

/** The addresses that a proxy in the tests uses. */
interface Place {
  /** `host:port` of each replica. */
  readonly replicas: readonly [string, string];
  readonly adminPort: number;
  readonly silence: string;
  readonly compression: boolean;
  readonly folder: string;
  readonly port: number;
  readonly securePort: number;
}

interface EdgeProgram {
  /** Files in `deploy/`: first the configuration, then the files that it includes. */
  readonly files: readonly [string, ...string[]];
  /** Texts in the configuration, and what the tests put in their place. */
  readonly changes: readonly (readonly [from: string, to: string])[];
  readonly command: readonly [string, ...string[]];
}

export const edgePrograms = { nginx, haproxy, caddy, apache, varnish, lighttpd } as const;

export type EdgeName = keyof typeof edgePrograms;

/** How the proxies differ from each other. */
interface EdgeTraits {
  /**
   * How many streams and publishes one HTTP/2 connection carries at a time. 0: the proxy has no TLS, and so no HTTP/2.
   */
  readonly http2Streams: number;
  /** When the proxy notices that a reader has left: at once, or only when it writes to the reader. */
  readonly noticesLeaving: 'at once' | 'when it writes';
  /**
   * Whether a stream ends without the last chunk when its replica is lost. The reader can then tell a loss from an end.
   */
  readonly tellsLoss: boolean;
  /** Whether the proxy takes a body without a length over HTTP/2. */
  readonly http2Uploads: boolean;
  /**
   * Whether the proxy takes replicas for healthy until it has asked each once, and cuts streams to a dead one without an answer.
   */
  readonly trustsAtFirst: boolean;
}

const able: EdgeTraits = {
  http2Streams: 8,
  noticesLeaving: 'at once',
  tellsLoss: true,
  http2Uploads: true,
  trustsAtFirst: false,
};

export const edgeTraits: Readonly<Record<EdgeName, EdgeTraits>> = {
  nginx: able,
  haproxy: able,
  caddy: { ...able, tellsLoss: false },
  // Starts with six concurrent requests on a connection, and takes more only after some of them are done.
  apache: { ...able, http2Streams: 5, noticesLeaving: 'when it writes' },
  varnish: { ...able, http2Streams: 0, http2Uploads: false, trustsAtFirst: true },
  // Takes eight concurrent requests on a connection.
  lighttpd: { ...able, http2Streams: 7, http2Uploads: false },
};

function nginx({ replicas, silence, compression, folder, port, securePort }: Place): EdgeProgram {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(folder, kind)};`,
  );
  const gzip = compression ? ['gzip on;', 'gzip_proxied any;', 'gzip_types *;', 'gzip_min_length 1;'] : [];
  return {
    files: ['nginx.conf'],
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
      // Runs the workers as the user of the tests. Under root the workers would run as nobody, who cannot write to the
      // folder.
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
    files: ['haproxy.cfg'],
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
    files: ['Caddyfile'],
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

function apache({ replicas, silence, compression, folder, port, securePort }: Place): EdgeProgram {
  const deflate = [
    'LoadModule filter_module modules/mod_filter.so',
    'LoadModule deflate_module modules/mod_deflate.so',
    'SetOutputFilter DEFLATE',
  ];
  return {
    files: ['apache.conf'],
    changes: [
      ['ServerName localhost', ['ServerName localhost', ...(compression ? deflate : [])].join('\n')],
      ['sluice-1:3000', replicas[0]],
      ['sluice-2:3000', replicas[1]],
      // Uses another address, on which the port is free too.
      ['127.0.0.1:8079', `127.0.0.5:${port}`],
      ['Listen 8080', `Listen 127.0.0.1:${port}`],
      ['Listen 8443', `Listen 127.0.0.1:${securePort}`],
      ['*:8080', `127.0.0.1:${port}`],
      ['*:8443', `127.0.0.1:${securePort}`],
      ['/etc/apache2/sluice.', join(folder, 'sluice.')],
      ['/var/log/apache2/', `${folder}/`],
      ['/run/apache2', folder],
      ['ProxyTimeout 60', `ProxyTimeout ${Number.parseInt(silence)}`],
    ],
    command: ['apache2', '-D', 'FOREGROUND', '-f', join(folder, 'apache.conf')],
  };
}

function varnish({ replicas, silence, compression, folder, port }: Place): EdgeProgram {
  return {
    files: ['varnish.vcl'],
    changes: [
      [
        '.host = "sluice-1";\n\t.port = "3000";',
        parts(replicas[0], (host, own) => `.host = "${host}";\n\t.port = "${own}";`),
      ],
      [
        '.host = "sluice-2";\n\t.port = "3000";',
        parts(replicas[1], (host, own) => `.host = "${host}";\n\t.port = "${own}";`),
      ],
      ...(compression
        ? [
            [
              'sub vcl_synth {',
              'sub vcl_backend_response {\n\tset beresp.do_gzip = true;\n}\n\nsub vcl_synth {',
            ] as const,
          ]
        : []),
    ],
    command: [
      'varnishd',
      '-F',
      '-j',
      'none',
      '-n',
      join(folder, 'work'),
      '-a',
      `127.0.0.1:${port}`,
      '-f',
      join(folder, 'varnish.vcl'),
      '-s',
      'malloc,16m',
      '-p',
      `pipe_timeout=${Number.parseInt(silence)}`,
    ],
  };
}

function lighttpd({ replicas, silence, compression, folder, port, securePort }: Place): EdgeProgram {
  const deflate = [
    'server.modules += ( "mod_deflate" )',
    'deflate.mimetypes = ( "" )',
    'deflate.allowed-encodings = ( "gzip" )',
  ];
  return {
    files: ['lighttpd.conf', 'lighttpd.lua'],
    changes: [
      [
        '"host" => "sluice-1", "port" => 3000',
        parts(replicas[0], (host, own) => `"host" => "${host}", "port" => ${own}`),
      ],
      [
        '"host" => "sluice-2", "port" => 3000',
        parts(replicas[1], (host, own) => `"host" => "${host}", "port" => ${own}`),
      ],
      // Runs as the user of the tests: no other user can write to the folder.
      ['server.username = "www-data"\nserver.groupname = "www-data"\n', ''],
      ['server.port = 8080', `server.bind = "127.0.0.1"\nserver.port = ${port}`],
      ['":8443"', `"127.0.0.1:${securePort}"`],
      ['/etc/lighttpd/sluice.lua', join(folder, 'lighttpd.lua')],
      ['/etc/lighttpd/sluice.', join(folder, 'sluice.')],
      ['/var/log/lighttpd/', `${folder}/`],
      ['/var/empty', folder],
      ['"read-timeout" => 60', `"read-timeout" => ${Number.parseInt(silence)}`],
      ...(compression ? [['proxy.balance =', [...deflate, 'proxy.balance ='].join('\n')] as const] : []),
    ],
    command: ['lighttpd', '-D', '-f', join(folder, 'lighttpd.conf')],
  };
}

function parts(replica: string, say: (host: string, port: string) => string): string {
  const { hostname, port } = new URL(`http://${replica}`);
  return say(hostname, port);
}
