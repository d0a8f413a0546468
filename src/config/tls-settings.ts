import { X509Certificate, createPrivateKey } from 'node:crypto';
import { z } from 'zod';

// Formats of the TLS settings (docs/operations.md): text in PEM. No message shows any part of a value.

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** One or more certificates. A chain begins with the server's own. */
export const certificates = z
  .string()
  .refine(
    (pem) => certificatesIn(pem) !== undefined,
    'one or more certificates in PEM (-----BEGIN CERTIFICATE-----)',
  );

export const privateKey = z
  .string()
  .refine(
    (pem) => privateKeyIn(pem) !== undefined,
    'a private key in PEM (-----BEGIN PRIVATE KEY-----) without a passphrase',
  );

/** The valid values, by the name of the setting. */
type Given = Readonly<Record<string, unknown>>;

/** Checks that TLS settings fit together. Each of them is valid by itself. Returns one line for each problem. */
export function tlsProblems(values: Given): string[] {
  const problems = [
    pairProblem(values, 'SLUICE_TLS_CERT', 'SLUICE_TLS_KEY'),
    pairProblem(values, 'SLUICE_REDIS_TLS_CERT', 'SLUICE_REDIS_TLS_KEY'),
  ].filter((problem) => problem !== undefined);
  const { REDIS_URL: url } = values;
  for (const name of ['SLUICE_REDIS_TLS_CA', 'SLUICE_REDIS_TLS_CERT']) {
    // Refuses to start, because the connection would not be encrypted although these settings ask for TLS.
    if (values[name] !== undefined && !(typeof url === 'string' && /^rediss/i.test(url)))
      problems.push(`${name} is set, but REDIS_URL does not use TLS. Begin REDIS_URL with rediss.`);
  }
  return problems;
}

function pairProblem(values: Given, certName: string, keyName: string): string | undefined {
  const { [certName]: cert, [keyName]: key } = values;
  if (cert === undefined && key === undefined) return undefined;
  if (typeof key !== 'string') return `${certName} is set without ${keyName}. Set both or none.`;
  if (typeof cert !== 'string') return `${keyName} is set without ${certName}. Set both or none.`;
  const [own] = certificatesIn(cert) ?? [];
  const privateOne = privateKeyIn(key);
  if (own === undefined || privateOne === undefined || own.checkPrivateKey(privateOne)) return undefined;
  return `${keyName} is not the key of the first certificate in ${certName}. Set a key and a certificate that belong together.`;
}

function certificatesIn(pem: string): X509Certificate[] | undefined {
  try {
    const found = (pem.match(CERTIFICATE) ?? []).map((one) => new X509Certificate(one));
    return found.length > 0 ? found : undefined;
  } catch {
    return undefined;
  }
}

function privateKeyIn(pem: string): ReturnType<typeof createPrivateKey> | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
