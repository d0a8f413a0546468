import { createSecretKey, randomUUID } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Grants } from './grants.ts';

export interface TokenIssuerOptions {
  /** The broker verifies tokens with the same secret, so it accepts the tokens that it issues. */
  readonly secret: string;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
}

export interface TokenRequest extends Grants {
  readonly subject: string | undefined;
  /** In seconds. */
  readonly ttl: number;
}

export interface IssuedToken {
  readonly token: string;
  /** The token's `exp`: seconds since 1970. */
  readonly expires: number;
}

/** Issues tokens to holders of a publish key, so that a backend needs no JWT library. */
export class TokenIssuer {
  readonly #key: KeyObject;
  readonly #issuer: string | undefined;
  readonly #audience: string | undefined;

  constructor({ secret, issuer, audience }: TokenIssuerOptions) {
    this.#key = createSecretKey(secret, 'utf8');
    this.#issuer = issuer;
    this.#audience = audience;
  }

  async issue({ subscribe, publish, admin, subject, ttl }: TokenRequest): Promise<IssuedToken> {
    const now = Math.floor(Date.now() / 1_000);
    const expires = now + ttl;
    const jwt = new SignJWT({ sluice: { subscribe, publish, ...(admin && { admin }) } })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuedAt(now)
      .setExpirationTime(expires)
      .setJti(randomUUID());
    if (subject !== undefined) jwt.setSubject(subject);
    if (this.#issuer !== undefined) jwt.setIssuer(this.#issuer);
    if (this.#audience !== undefined) jwt.setAudience(this.#audience);
    return { token: await jwt.sign(this.#key), expires };
  }
}
