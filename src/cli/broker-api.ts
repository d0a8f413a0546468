import type { IncomingMessage } from 'node:http';
import { request as overTls } from 'node:https';
import type { Readable } from 'node:stream';
import type { BrokerAccess, Credential } from './broker-access.ts';
import { request as overTcp } from '../node/http.ts';
import { CliError } from './cli-error.ts';
import { connectionError, refusal, strangeAnswer } from './broker-errors.ts';

/** How long the broker may be silent. */
const SILENCE_MS = 30_000;
/** A page has about a megabyte, or one event. */
const MAX_ANSWER_BYTES = 64 * 1_024 ** 2;

type QueryValue = string | number | boolean | undefined | readonly string[];

export interface ApiRequest {
  /** GET by default. */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD';
  /** Of {@link apiPath}. */
  readonly path: string;
  /** Undefined and false are left out. True is a parameter without a value. A list is a parameter that is repeated. */
  readonly query?: Readonly<Record<string, QueryValue>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is: bytes, or a stream that is sent as it arrives and may take any time. */
  readonly body?: Uint8Array | Readable;
  /** By default the subscriber's. */
  readonly as?: 'publisher' | 'subscriber';
  /** How long the broker may be silent; 30 s by default. */
  readonly silenceMs?: number;
  /** Instead of the command's signal. */
  readonly signal?: AbortSignal;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** The JSON of the body; undefined for an empty body. */
  readonly body: unknown;
}

/** A path of the API. Each part is one segment, whatever characters it has. */
export function apiPath(...parts: readonly string[]): string {
  return parts
    .map((part) => {
      if (part === '') throw new CliError('A channel name has 1 to 200 characters.', 2);
      return `/${encodeURIComponent(part)}`;
    })
    .join('');
}

/** Requests to a broker. Every failure is a CliError with one clear line. */
export class BrokerApi {
  readonly access: BrokerAccess;
  readonly #signal: AbortSignal;

  constructor(access: BrokerAccess, signal: AbortSignal) {
    this.access = access;
    this.#signal = signal;
  }

  /**
   * @returns the answer, when its status is 2xx
   * @throws RefusedError for a problem document, CliError for anything else that is not a broker's answer, and the reason of
   *   the signal when it aborts
   */
  async request(request: ApiRequest): Promise<ApiAnswer> {
    const { as = 'subscriber', signal = this.#signal } = request;
    const credential = this.access[as];
    signal.throwIfAborted();
    try {
      const response = await this.#send(request, credential, signal);
      const text = await bodyOf(response);
      const status = response.statusCode ?? 0;
      const header = (name: string): string | undefined => response.headers[name]?.toString();
      const json = parse(response, text);
      if (status >= 200 && status < 300) {
        if (json === undefined && text !== '') throw strangeAnswer(this.access.url, { status, header });
        return { status, headers: response.headers, body: json };
      }
      throw json === undefined
        ? strangeAnswer(this.access.url, { status, header })
        : refusal({ status, header, problem: json, credential, as });
    } catch (error) {
      if (error instanceof CliError) throw error;
      if (signal.aborted) throw signal.reason as Error;
      throw connectionError(this.access.url, error as NodeJS.ErrnoException);
    }
  }

  /** The JSON of the answer. */
  async json<T>(request: ApiRequest): Promise<T> {
    return (await this.request(request)).body as T;
  }

  #send(
    request: ApiRequest,
    credential: Credential | undefined,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const { method = 'GET', path, query = {}, headers = {}, json, silenceMs = SILENCE_MS } = request;
    const url = new URL(this.access.url);
    const body = json === undefined ? request.body : Buffer.from(JSON.stringify(json));
    return new Promise((resolve, reject) => {
      const outgoing = (url.protocol === 'https:' ? overTls : overTcp)({
        host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
        port: url.port || undefined,
        method,
        // Not through URL, which would resolve a channel named "..".
        path: `${url.pathname.replace(/\/$/, '')}${path}${queryString(query)}`,
        headers: {
          accept: 'application/json',
          ...(json !== undefined && { 'content-type': 'application/json' }),
          ...(body instanceof Uint8Array && { 'content-length': body.byteLength }),
          ...(credential !== undefined && { authorization: `Bearer ${credential.secret}` }),
          ...headers,
        },
        signal,
      });
      outgoing.setTimeout(silenceMs, () =>
        outgoing.destroy(
          Object.assign(new Error(`no answer within ${silenceMs / 1_000} s`), { code: 'ETIMEDOUT' }),
        ),
      );
      let answered = false;
      outgoing.once('response', (response: IncomingMessage) => {
        answered = true;
        // A broker that refuses an upload answers before it has read all of it. Nothing more is sent then.
        if (body !== undefined && !(body instanceof Uint8Array)) body.unpipe(outgoing).destroy();
        response.once('close', () => {
          if (!outgoing.writableFinished) outgoing.destroy();
        });
        resolve(response);
      });
      outgoing.on('error', (error) => {
        // After the answer only the sending has failed.
        if (!answered) reject(error);
      });
      if (body === undefined || body instanceof Uint8Array) outgoing.end(body);
      else {
        body.on('error', (error) => outgoing.destroy(error));
        outgoing.once('close', () => body.destroy());
        body.pipe(outgoing);
      }
    });
  }
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > MAX_ANSWER_BYTES) throw new Error(`the answer has more than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse({ headers }: IncomingMessage, text: string): unknown {
  if (!/^application\/(?:problem\+)?json\b/i.test(headers['content-type'] ?? '')) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function queryString(query: NonNullable<ApiRequest['query']>): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === false) continue;
    if (value === true) parts.push(name);
    else
      for (const one of Array.isArray(value) ? (value as readonly string[]) : [value as string | number])
        parts.push(`${name}=${encodeURIComponent(one)}`);
  }
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}
