import type { Credential } from './broker-access.ts';
import { CliError } from './cli-error.ts';
import { printable } from './terminal-text.ts';

/** The broker refuses a request with a problem document (RFC 9457). */
export class RefusedError extends CliError {
  readonly status: number;
  /** The last part of the problem's type, such as `channel-ended`. */
  readonly code: string | undefined;
  readonly problem: Readonly<Record<string, unknown>>;

  constructor(message: string, status: number, problem: Readonly<Record<string, unknown>>) {
    super(message);
    this.status = status;
    this.problem = problem;
    const { type } = problem;
    this.code = typeof type === 'string' ? type.split(':').at(-1) : undefined;
  }
}

/** A request was sent, and its answer did not come. The broker may have done what the request asks for. */
export class NoAnswerError extends CliError {}

/** What an answer says before its body. */
export interface AnswerHead {
  readonly status: number;
  /** The value of a header, by its name in lower case. */
  readonly header: (name: string) => string | undefined;
}

interface Refusal extends AnswerHead {
  readonly problem: unknown;
  readonly credential: Credential | undefined;
  readonly as: 'publisher' | 'subscriber';
}

/** What a problem document says, and what to do about the credential. */
export function refusal({ status, header, problem, credential, as }: Refusal): RefusedError {
  const document = (typeof problem === 'object' && problem !== null ? problem : {}) as Record<
    string,
    unknown
  >;
  const { detail, title } = document;
  const text = [detail, title].find((one) => typeof one === 'string');
  const sentences = [text === undefined ? `The broker answered ${status}.` : printable(text)];
  if (status === 401 || status === 403) sentences.push(credentialAdvice(credential, as));
  const wait = header('retry-after');
  if (wait !== undefined && /^\d+$/.test(wait)) sentences.push(`Try again in ${wait} s.`);
  return new RefusedError(sentences.join(' '), status, document);
}

function credentialAdvice(credential: Credential | undefined, as: 'publisher' | 'subscriber'): string {
  if (credential !== undefined) return `The credential was the one of ${credential.source}.`;
  return as === 'publisher'
    ? 'No credential was sent. Set SLUICE_KEY to a publish key, or name a file that has one with --key-file, such as the .publish-key in the folder of a broker.'
    : 'No token was sent. Set SLUICE_TOKEN; "sluice token mint" makes a token.';
}

/** An answer that no broker gives. */
export function strangeAnswer(url: string, { status, header }: AnswerHead): CliError {
  const location = header('location');
  if (status >= 300 && status < 400 && location !== undefined)
    return new CliError(
      `${url} redirects to ${printable(location)}. Redirects are not followed, because credentials would go along: give the broker's own address (--url, SLUICE_URL).`,
    );
  const type = printable(header('content-type') ?? 'no content type');
  return new CliError(
    `${url} answered ${status} with ${type}, which is not a broker's answer. Check the address (--url, SLUICE_URL), and what stands between.`,
  );
}

/** The names of Node's sockets, and of Node's `fetch`. */
const CLOSED_CODES = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);
const TIMEOUT_CODES = new Set(['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT']);
const TLS_CODES = /^(?:ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA)/;

/** Why a request got no answer. */
export function connectionError(url: string, error: NodeJS.ErrnoException): CliError {
  const { code = '', message } = error;
  if (code === 'ECONNREFUSED')
    return new CliError(
      `No broker listens at ${url} (connection refused). Start one with "sluice serve", or name another with --url or SLUICE_URL.`,
    );
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new CliError(`There is no host for ${url} (${code}). Check the address (--url, SLUICE_URL).`);
  if (TIMEOUT_CODES.has(code))
    return new NoAnswerError(
      `${url} does not answer (${message || code}). Check the address (--url, SLUICE_URL).`,
    );
  if (CLOSED_CODES.has(code))
    return new NoAnswerError(`${url} closed the connection without an answer (${code}).`);
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_'))
    return new CliError(`${url} does not speak TLS, it seems. Try http:// (--url, SLUICE_URL).`);
  if (TLS_CODES.test(code))
    return new CliError(
      `The certificate of ${url} is not trusted (${code}). NODE_EXTRA_CA_CERTS names a file with your own authority.`,
    );
  if (code.startsWith('HPE_') || error.name === 'HTTPParserError')
    return new CliError(`${url} does not speak HTTP. Check the address (--url, SLUICE_URL).`);
  return new CliError(`The request to ${url} failed: ${printable(message || code)}.`);
}
