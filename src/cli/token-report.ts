import { compactVerify } from 'jose';
import { readGrants } from '../auth/grants.ts';
import type { Grants } from '../auth/grants.ts';
import { MAX_TOKEN_LENGTH, readTokenHeader } from '../auth/token-header.ts';
import type { TokenKey } from '../auth/token-keys.ts';

type Claims = Readonly<Record<string, unknown>>;

/** In seconds since 1970: the last date that JavaScript can hold (ECMA-262 §21.4.1.1). */
const LAST_SECOND = 8.64e12;
/** The members of the claim `sluice`. They have no effect outside of it. */
const GRANTS = ['subscribe', 'publish', 'admin'];

export interface TokenChecks {
  /** Undefined: the signature is not checked. */
  readonly key: TokenKey | undefined;
  /** Undefined: not checked. */
  readonly issuer: string | undefined;
  /** Undefined: not checked. */
  readonly audience: string | undefined;
}

/** What a token says, and what a broker would object to. Holds neither the token nor its signature. */
export interface TokenReport {
  readonly valid: boolean;
  readonly header: Claims;
  readonly claims: Claims;
  /** Undefined when the claim cannot be read. */
  readonly grants: Grants | undefined;
  readonly signature: 'verified' | 'wrong' | 'not checked';
  /** Epoch ms; undefined without a valid `exp`. */
  readonly expiresAt: number | undefined;
  /** Each one makes a broker refuse the token. */
  readonly problems: readonly string[];
  /** Likely mistakes. */
  readonly warnings: readonly string[];
}

/** Reads a token by the rules of the broker (docs/protocol.md §7), but goes on after the first fault. */
export async function reportToken(token: string, checks: TokenChecks, now: number): Promise<TokenReport> {
  const parts = token.split('.');
  const header = partOf(parts[0]);
  const claims = partOf(parts[1]);
  if (parts.length !== 3 || header === undefined || claims === undefined)
    return unreadable(token);
  const problems: string[] = [];
  const unsigned = header['alg'] === undefined || header['alg'] === 'none' || parts[2] === '';
  if (unsigned) problems.push('The token is not signed (alg none).');
  else collect(problems, () => readTokenHeader(token));
  const signature = unsigned ? 'not checked' : await checkSignature(token, checks.key);
  if (signature === 'wrong')
    problems.push(`The signature does not match the key, or the algorithm is not ${checks.key?.algorithms[0]}.`);
  const grants = collect(problems, () => readGrants(claims));
  if (claims['sub'] !== undefined && typeof claims['sub'] !== 'string')
    problems.push('The token has a sub that is not a text.');
  problems.push(...timeProblems(claims, now), ...partyProblems(claims, checks));
  const exp = claims['exp'];
  return {
    valid: problems.length === 0,
    header,
    claims,
    grants,
    signature,
    expiresAt: isDate(exp) ? exp * 1_000 : undefined,
    problems,
    warnings: warningsAbout(claims, grants),
  };
}

function unreadable(token: string): TokenReport {
  const problem =
    token.length > MAX_TOKEN_LENGTH
      ? `The token has ${token.length} characters; the limit is ${MAX_TOKEN_LENGTH}.`
      : 'This is not a JWT: a JWT has three parts in base64url, separated by dots. A publish key is not a token.';
  return {
    valid: false,
    header: {},
    claims: {},
    grants: undefined,
    signature: 'not checked',
    expiresAt: undefined,
    problems: [problem],
    warnings: [],
  };
}

function partOf(text: string | undefined): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text ?? '', 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : undefined;
  } catch {
    return undefined;
  }
}

/** Calls a check of the broker, and notes what the check throws. */
function collect<T>(problems: string[], check: () => T): T | undefined {
  try {
    return check();
  } catch (error) {
    problems.push((error as Error).message);
    return undefined;
  }
}

async function checkSignature(token: string, key: TokenKey | undefined): Promise<TokenReport['signature']> {
  if (key === undefined) return 'not checked';
  for (const one of key.keys) {
    const holds = await compactVerify(token, one, { algorithms: [...key.algorithms] }).then(
      () => true,
      () => false,
    );
    if (holds) return 'verified';
  }
  return 'wrong';
}

function timeProblems(claims: Claims, now: number): string[] {
  const problems: string[] = [];
  const { exp, nbf, iat } = { exp: claims['exp'], nbf: claims['nbf'], iat: claims['iat'] };
  if (exp === undefined) problems.push('The token has no exp: the broker takes only tokens that expire.');
  for (const [name, value] of Object.entries({ exp, nbf, iat }))
    if (value !== undefined && !isDate(value)) problems.push(`The token has an ${name} that is not a valid date.`);
  if (isDate(exp) && exp * 1_000 <= now) problems.push('The token has expired.');
  if (isDate(nbf) && nbf * 1_000 > now) problems.push('The token is not valid yet (nbf).');
  if (isDate(iat) && iat * 1_000 > now) problems.push("The token has an iat in the future: is the signer's clock ahead?");
  return problems;
}

function partyProblems(claims: Claims, { issuer, audience }: TokenChecks): string[] {
  const problems: string[] = [];
  if (issuer !== undefined && claims['iss'] !== issuer) problems.push(`The token's iss is not "${issuer}".`);
  if (audience !== undefined && ![claims['aud']].flat().includes(audience))
    problems.push(`The token's aud is not "${audience}".`);
  return problems;
}

function warningsAbout(claims: Claims, grants: Grants | undefined): string[] {
  const warnings: string[] = [];
  const own = claims['sluice'];
  if (claims['mercure'] !== undefined)
    warnings.push(
      own === undefined
        ? 'The grants come from the claim mercure, which was made for another system.'
        : 'The claim mercure has no effect beside the claim sluice.',
    );
  if (typeof own === 'object' && own !== null)
    for (const name of Object.keys(own))
      if (!GRANTS.includes(name)) warnings.push(`The broker does not know sluice.${name} and ignores it.`);
  for (const name of GRANTS)
    if (claims[name] !== undefined)
      warnings.push(`The claim ${name} has no effect outside of the claim sluice.`);
  if (grants !== undefined && !grants.admin && grants.subscribe.length + grants.publish.length === 0)
    warnings.push('The token grants nothing: only public channels can be subscribed to with it.');
  if (claims['iat'] === undefined)
    warnings.push('The token has no iat: any revocation of its sub refuses it, also an earlier one.');
  return warnings;
}

function isDate(seconds: unknown): seconds is number {
  return typeof seconds === 'number' && seconds >= 0 && seconds <= LAST_SECOND;
}
