import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** A certificate and its private key, in PEM. */
interface Credentials {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority. Only clients and servers that are given its certificate trust it. */
export interface Authority {
  readonly cert: string;
  /** Issues a certificate for these DNS names or IPv4 addresses; by default 127.0.0.1 and localhost. */
  issue(names?: readonly string[]): Credentials;
}

/**
 * Makes a new authority. Certificates in a repository would expire there. A process that trusts two authorities looks for the issuer
 * of a certificate by its name, so each has a name of its own.
 */
export function createAuthority(
  name = `An authority of the tests, ${randomBytes(4).toString('hex')}`,
): Authority {
  const { publicKey, privateKey } = keyPair();
  const issuer = { name, key: privateKey };
  // The extension basicConstraints with cA true.
  const isAuthority = extension('551d13', sequence(tagged(0x01, Buffer.from([0xff]))), true);
  return {
    cert: certificate(name, publicKey, issuer, [isAuthority]),
    issue(names = ['localhost', '127.0.0.1']) {
      const own = keyPair();
      return {
        cert: certificate(names[0] ?? '', own.publicKey, issuer, [
          extension('551d11', alternativeNames(names)),
        ]),
        key: own.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      };
    },
  };
}

interface Issuer {
  readonly name: string;
  readonly key: KeyObject;
}

function keyPair(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** Makes an X.509 certificate (RFC 5280 §4.1) that is valid from yesterday to tomorrow. */
function certificate(
  subject: string,
  subjectKey: KeyObject,
  issuer: Issuer,
  extensions: readonly Buffer[],
): string {
  const ecdsaWithSha256 = sequence(object('2a8648ce3d040302'));
  const day = 86_400_000;
  const toBeSigned = sequence(
    tagged(0xa0, tagged(0x02, Buffer.from([2]))),
    tagged(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    distinguishedName(issuer.name),
    sequence(time(Date.now() - day), time(Date.now() + day)),
    distinguishedName(subject),
    subjectKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions)),
  );
  const signature = bitString(sign('sha256', toBeSigned, issuer.key));
  const der = sequence(toBeSigned, ecdsaWithSha256, signature);
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

function distinguishedName(commonName: string): Buffer {
  return sequence(tagged(0x31, sequence(object('550403'), tagged(0x0c, Buffer.from(commonName)))));
}

function alternativeNames(names: readonly string[]): Buffer {
  return sequence(
    ...names.map((name) =>
      /^[\d.]+$/.test(name)
        ? tagged(0x87, Buffer.from(name.split('.').map(Number)))
        : tagged(0x82, Buffer.from(name)),
    ),
  );
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  const flag = critical ? [tagged(0x01, Buffer.from([0xff]))] : [];
  return sequence(object(id), ...flag, tagged(0x04, value));
}

/** A UTCTime, which has a year of two digits. */
function time(at: number): Buffer {
  const digits = new Date(at).toISOString().replaceAll(/\D/g, '').slice(2, 14);
  return tagged(0x17, Buffer.from(`${digits}Z`));
}

function object(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, 'hex'));
}

function bitString(bytes: Buffer): Buffer {
  return tagged(0x03, Buffer.concat([Buffer.from([0]), bytes]));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

/** Encodes tag, length and value (X.690 §8.1). */
function tagged(tag: number, value: Buffer): Buffer {
  const { length } = value;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), value]);
}
