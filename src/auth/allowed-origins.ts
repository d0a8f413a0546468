import { isBelow, parseOriginPattern } from './origin-pattern.ts';
import type { OriginPattern } from './origin-pattern.ts';

/**
 * The origins of `SLUICE_CORS_ORIGINS` (docs/protocol.md §7). CORS and cookies both use this class, so that they always agree on
 * which origins are allowed.
 */
export class AllowedOrigins {
  /** True for `*`: every page may read, but no cookie is accepted. */
  readonly any: boolean;
  /** True when no origin is set: the broker sends no CORS headers. */
  readonly none: boolean;
  readonly #exact: ReadonlySet<string>;
  readonly #below: readonly Extract<OriginPattern, { kind: 'below' }>[];

  /** @param texts `*` or patterns. Other texts are ignored. */
  constructor(texts: readonly string[]) {
    const patterns = texts.map(parseOriginPattern).filter((pattern) => pattern !== undefined);
    this.any = texts.includes('*');
    this.none = texts.length === 0;
    this.#exact = new Set(patterns.filter((pattern) => pattern.kind === 'exact').map(({ origin }) => origin));
    this.#below = patterns.filter((pattern) => pattern.kind === 'below');
  }

  /** Whether the origin is listed, exactly or by a pattern. False for `*`, and always false for the origin `null`. */
  lists(origin: string | undefined): origin is string {
    if (origin === undefined) return false;
    return this.#exact.has(origin) || this.#below.some((pattern) => isBelow(pattern, origin));
  }
}
