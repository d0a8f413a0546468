import type { RedisTlsOptions } from './redis-server.ts';

/** The files of a Redis with TLS, by name, and the configuration lines that name these files in `folder`. */
export interface RedisTlsFiles {
  readonly files: Readonly<Record<string, string>>;
  readonly config: readonly string[];
}

export function redisTlsFiles(tls: RedisTlsOptions, host: string, folder: string): RedisTlsFiles {
  const { cert, key } = tls.authority.issue(tls.names ?? [host]);
  return {
    files: { 'ca.crt': tls.authority.cert, 'tls.crt': cert, 'tls.key': key },
    config: [
      `tls-ca-cert-file ${folder}/ca.crt`,
      `tls-cert-file ${folder}/tls.crt`,
      `tls-key-file ${folder}/tls.key`,
    ],
  };
}

/** Turns configuration lines into arguments of redis-server. */
export function asArguments(config: readonly string[]): string[] {
  return config.flatMap((line) => {
    const [name = '', ...values] = line.split(' ');
    return [`--${name}`, ...values];
  });
}
