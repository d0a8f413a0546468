import { isBelow, parseOriginPattern } from '../core/origin-pattern.ts';
import type { OriginPattern } from '../core/origin-pattern.ts';

/**
 * The origins of `SLUICE_CORS_ORIGINS` (docs/protocol.md §7). Whoever judges an origin asks this, so that CORS and cookies
 * always agree on whose page it is.
 */
export class AllowedOrigins {
  /** `*`: any page may read, and none with its visitor's cookies. */
  readonly any: boolean;
  /** Nothing is set: there is no CORS. */
  readonly none: boolean;
  readonly #exact: ReadonlySet<string>;
  readonly #below: readonly Extract<OriginPattern, { kind: 'below' }>[];

  /** @param texts `*`, or patterns; what is neither allows nothing */
  constructor(texts: readonly string[]) {
    const patterns = texts.map(parseOriginPattern).filter((pattern) => pattern !== undefined);
    this.any = texts.includes('*');
    this.none = texts.length === 0;
    this.#exact = new Set(patterns.filter((pattern) => pattern.kind === 'exact').map(({ origin }) => origin));
    this.#below = patterns.filter((pattern) => pattern.kind === 'below');
  }

  /** Whether the origin is listed, by its name or by a pattern. `*` lists none, and `null` is never listed. */
  lists(origin: string | undefined): origin is string {
    if (origin === undefined) return false;
    return this.#exact.has(origin) || this.#below.some((pattern) => isBelow(pattern, origin));
  }
}
