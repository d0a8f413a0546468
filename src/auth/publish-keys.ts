import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { EVERY_CHANNEL } from '../events/channel-pattern.ts';
import type { KeyAccess } from './access.ts';

interface Known {
  readonly digest: Buffer;
  readonly access: KeyAccess;
}

/** The publish keys. Keeps only digests, and takes the same time for every key. */
export class PublishKeys {
  readonly #salt = randomBytes(32).toString('latin1');
  readonly #known: readonly Known[];

  constructor(keys: readonly string[]) {
    this.#known = keys.map((key) => ({ digest: this.#digest(key), access: accessOf(key) }));
  }

  accepts(key: string): boolean {
    return this.access(key) !== undefined;
  }

  /** Returns what the key allows, or undefined for an unknown key. Returns the same object for the same key. */
  access(key: string): KeyAccess | undefined {
    const digest = this.#digest(key);
    let access: KeyAccess | undefined;
    // Compares every key, even after a match, so that the time shows nothing.
    for (const known of this.#known) if (timingSafeEqual(known.digest, digest)) access = known.access;
    return access;
  }

  /** All digests have the same length, so that the comparison does not show the length of a key. */
  #digest(key: string): Buffer {
    return hash('sha256', this.#salt + key, 'buffer');
  }
}

/** A publish key may publish on every channel, and look into the broker. */
function accessOf(key: string): KeyAccess {
  return {
    kind: 'publish-key',
    subscribe: [],
    publish: [EVERY_CHANNEL],
    admin: true,
    fingerprint: hash('sha256', `publish key: ${key}`, 'base64url'),
  };
}
