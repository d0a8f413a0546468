/** A coding of the list, with its weight (RFC 9110 §12.4.2 and §12.5.3). */
const CODING = /^([\w*!#$%&'+.^`|~-]+)(?:[ \t]*;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$/i;

/**
 * Whether an answer to a request with this `Accept-Encoding` is to be gzip: the client takes gzip, and does not want the plain
 * text more. A client that wants neither gets the plain text all the same, because a refused browser never comes back.
 */
export function acceptsGzip(header: string | undefined): boolean {
  if (header === undefined) return false;
  let gzip: number | undefined;
  let others: number | undefined;
  let identity: number | undefined;
  for (const element of header.split(',')) {
    const [, coding = '', weight = '1'] = CODING.exec(element.trim()) ?? [];
    const q = Number(weight);
    switch (coding.toLowerCase()) {
      case 'gzip':
      case 'x-gzip':
        gzip = Math.max(gzip ?? 0, q);
        break;
      case 'identity':
        identity = q;
        break;
      case '*':
        others = q;
        break;
    }
  }
  const taken = gzip ?? others ?? 0;
  return taken > 0 && taken >= (identity ?? 0);
}
