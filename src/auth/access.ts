import type { ChannelPattern } from '../events/channel-pattern.ts';

/** What an accepted credential allows. Check `kind` to tell keys from tokens, never another property. */
export type Access = KeyAccess | TokenAccess;

interface Accepted {
  readonly subscribe: readonly ChannelPattern[];
  readonly publish: readonly ChannelPattern[];
  /** Whether the holder may look into the broker: channels, subscribers, status. */
  readonly admin: boolean;
  /** A digest that identifies the credential without showing it. */
  readonly fingerprint: string;
}

/** A publish key has no subject and does not expire. To revoke it, remove it from SLUICE_PUBLISH_KEYS. */
export interface KeyAccess extends Accepted {
  readonly kind: 'publish-key';
}

export interface TokenAccess extends Accepted {
  readonly kind: 'token';
  /** The token's `sub`, if it has one. */
  readonly subject: string | undefined;
  /** The token's `exp` in epoch ms. Always a valid date, never Infinity. Compare it with wall time, as the signer meant it. */
  readonly expiresAt: number;
  /** The token's `iat` in epoch ms, or 0 for a token without `iat`. A revocation compares its time with this. */
  readonly issuedAt: number;
}
