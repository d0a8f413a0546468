import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { EVERY_CHANNEL } from '../core/channel-pattern.ts';
import type { KeyAccess } from './access.ts';

interface Known {
  readonly digest: Buffer;
  readonly access: KeyAccess;
}

/** The keys that may publish. Holds no key in the clear, and takes the same time whichever of them is asked for. */
export class PublishKeys {
  readonly #salt = randomBytes(32).toString('latin1');
  readonly #known: readonly Known[];

  constructor(keys: readonly string[]) {
    this.#known = keys.map((key) => ({ digest: this.#digest(key), access: accessOf(key) }));
  }

  accepts(key: string): boolean {
    return this.access(key) !== undefined;
  }

  /** What the key allows; undefined for one that is not known. The same object for the same key. */
  access(key: string): KeyAccess | undefined {
    const digest = this.#digest(key);
    let access: KeyAccess | undefined;
    // Every key is compared, also after one has matched.
    for (const known of this.#known) if (timingSafeEqual(known.digest, digest)) access = known.access;
    return access;
  }

  /** Digests have one length, so that comparing them says nothing about a key's own. */
  #digest(key: string): Buffer {
    return hash('sha256', this.#salt + key, 'buffer');
  }
}

/** Who has a publish key publishes everywhere. */
function accessOf(key: string): KeyAccess {
  return {
    kind: 'publish-key',
    subscribe: [],
    publish: [EVERY_CHANNEL],
    fingerprint: hash('sha256', `publish key: ${key}`, 'base64url'),
  };
}
