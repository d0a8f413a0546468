import type { ChannelPattern } from '../core/channel-pattern.ts';

/** What a credential that was accepted lets its holder do. Its kind is said, and never guessed from one of its values. */
export type Access = KeyAccess | TokenAccess;

interface Accepted {
  readonly subscribe: readonly ChannelPattern[];
  readonly publish: readonly ChannelPattern[];
  /** Stands for the credential where it must be recognised and may not be shown: a digest, never the text itself. */
  readonly fingerprint: string;
}

/** A publish key is nobody's in particular, does not expire, and is revoked by taking it out of the settings. */
export interface KeyAccess extends Accepted {
  readonly kind: 'publish-key';
}

export interface TokenAccess extends Accepted {
  readonly kind: 'token';
  /** The token's `sub`; undefined for one without. */
  readonly subject: string | undefined;
  /** Epoch ms, as late as a date can be and never Infinity: wall time, because whoever signed the token meant that. */
  readonly expiresAt: number;
  /** The token's `iat`, epoch ms; where it does not say, 0, the earliest that there can be. Revocation goes by it. */
  readonly issuedAt: number;
}
