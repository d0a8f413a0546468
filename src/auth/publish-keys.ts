import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** The keys that may publish. Holds no key in the clear, and takes the same time whichever of them is asked for. */
export class PublishKeys {
  readonly #salt = randomBytes(32).toString('latin1');
  readonly #digests: readonly Buffer[];

  constructor(keys: readonly string[]) {
    this.#digests = keys.map((key) => this.#digest(key));
  }

  accepts(key: string): boolean {
    const digest = this.#digest(key);
    let accepted = false;
    // Every key is compared, also after one has matched.
    for (const known of this.#digests) accepted = timingSafeEqual(known, digest) || accepted;
    return accepted;
  }

  /** Digests have one length, so that comparing them says nothing about a key's own. */
  #digest(key: string): Buffer {
    return hash('sha256', this.#salt + key, 'buffer');
  }
}
