/** Reads the credential of an `Authorization: Bearer …` header (RFC 6750 §2.1). Returns undefined for other headers. */
export function bearerToken(header: string | undefined): string | undefined {
  const match = header === undefined ? null : /^bearer +([^\s]+) *$/i.exec(header);
  return match?.[1];
}
