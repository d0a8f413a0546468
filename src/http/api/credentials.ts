/** How a request authenticates. `none`: a public channel needs no credential. */
export type Credential = 'none' | keyof ReturnType<typeof securitySchemes>;

/** OpenAPI's security schemes (docs/protocol.md §7). */
export function securitySchemes(tokenCookie: string) {
  return {
    publishKey: {
      type: 'http',
      scheme: 'bearer',
      description:
        'One of `SLUICE_PUBLISH_KEYS`, for backends. It can publish to every channel, make tokens, end streams and look in. It cannot subscribe.',
    },
    token: {
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
      description:
        'A token that grants the channel: `{"exp": …, "sluice": {"subscribe": ["orders.*"], "publish": ["news"]}}`.',
    },
    adminToken: {
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
      description: 'A token that allows looking in: `{"exp": …, "sluice": {"admin": true}}`.',
    },
    tokenCookie: {
      type: 'apiKey',
      in: 'cookie',
      name: tokenCookie,
      description:
        "A subscriber's token as a cookie. The broker accepts it from pages of its own origin, from pages of the origins that `SLUICE_CORS_ORIGINS` lists, and from clients that are not pages. The cookie cannot publish.",
    },
    tokenQuery: {
      type: 'apiKey',
      in: 'query',
      name: 'token',
      description:
        "A subscriber's token in the URL. Use it only when you cannot send a header or a cookie, because proxies log URLs.",
    },
  } as const;
}

/** Makes OpenAPI's security requirements: a request needs any one of the credentials. */
export function securityOf(
  credentials: readonly Credential[],
): readonly Readonly<Record<string, readonly string[]>>[] {
  return credentials.map((credential) => (credential === 'none' ? {} : { [credential]: [] }));
}
