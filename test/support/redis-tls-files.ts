import type { RedisTlsFiles } from './redis-server.ts';

/** The files of a Redis with TLS, by name, and the lines of its configuration that name them in `folder`. */
export function redisTlsFiles(
  { ca, cert, key }: RedisTlsFiles,
  folder: string,
): { readonly files: Readonly<Record<string, string>>; readonly config: readonly string[] } {
  return {
    files: { 'ca.crt': ca, 'tls.crt': cert, 'tls.key': key },
    config: [
      `tls-ca-cert-file ${folder}/ca.crt`,
      `tls-cert-file ${folder}/tls.crt`,
      `tls-key-file ${folder}/tls.key`,
    ],
  };
}

/** The same lines as arguments of redis-server. */
export function asArguments(config: readonly string[]): string[] {
  return config.flatMap((line) => {
    const [name = '', ...values] = line.split(' ');
    return [`--${name}`, ...values];
  });
}
