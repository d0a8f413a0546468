import type { ChannelPattern } from '../core/channel-pattern.ts';

/** What a credential that was accepted lets its holder do, and until when. */
export interface Access {
  /** The token's `sub`; undefined for a publish key, for nobody in particular, and for a token without one. */
  readonly subject: string | undefined;
  readonly subscribe: readonly ChannelPattern[];
  readonly publish: readonly ChannelPattern[];
  /** Epoch ms; Infinity for what does not expire. */
  readonly expiresAt: number;
  /** The token's `iat`, epoch ms; 0 when it does not say. Revocation goes by it. */
  readonly issuedAt: number;
  /** Stands for the credential where it must be recognised and may not be shown: a digest, never the text itself. */
  readonly fingerprint: string;
}
