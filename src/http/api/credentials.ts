/** How a request says who it is from; `none`: what is public needs nothing. */
export type Credential = 'none' | keyof ReturnType<typeof securitySchemes>;

/** OpenAPI's security schemes (docs/protocol.md §7). */
export function securitySchemes(tokenCookie: string) {
  return {
    publishKey: {
      type: 'http',
      scheme: 'bearer',
      description:
        'One of `SLUICE_PUBLISH_KEYS`, for backends: publishes to every channel, makes tokens, does not subscribe.',
    },
    token: {
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
      description:
        'A token that grants the channel: `{"exp": …, "sluice": {"subscribe": ["orders.*"], "publish": ["news"]}}`.',
    },
    tokenCookie: {
      type: 'apiKey',
      in: 'cookie',
      name: tokenCookie,
      description:
        "A subscriber's token as a cookie. It is taken from the broker's own origin, from those that `SLUICE_CORS_ORIGINS` lists, and from what is no page. It never publishes.",
    },
    tokenQuery: {
      type: 'apiKey',
      in: 'query',
      name: 'token',
      description:
        "A subscriber's token for whoever can send it in no other way: URLs end up in the logs of proxies.",
    },
  } as const;
}

/** OpenAPI's security requirements: any one of them will do. */
export function securityOf(
  credentials: readonly Credential[],
): readonly Readonly<Record<string, readonly string[]>>[] {
  return credentials.map((credential) => (credential === 'none' ? {} : { [credential]: [] }));
}
