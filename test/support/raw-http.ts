import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';

/** One answer, as received. */
export interface RawAnswer {
  readonly status: number;
  /** The headers as received, in order: `['Content-Type', 'application/json']`. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  /** The value of a header, by a name in any case; several values of one name are joined by `, `. */
  header(name: string): string | undefined;
}

/** A request in parts, so that a test can make each part wrong. */
export interface RawRequest {
  /** GET by default. */
  readonly method?: string;
  /** Goes into the request line unchanged. */
  readonly path: string;
  /** Lines such as `Content-Type: text/plain`, sent unchanged. Only a Host line is added. */
  readonly headers?: readonly string[];
  readonly body?: string | Buffer;
}

/** Returns the bytes of a request. In the head, each character up to U+00FF becomes one byte. */
export function requestBytes({ method = 'GET', path, headers = [], body = '' }: RawRequest): Buffer {
  const head = [`${method} ${path} HTTP/1.1`, 'Host: broker.test', ...headers, '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body)]);
}

/** Sends one request on a new connection and reads one whole answer. */
export async function exchange(port: number, request: RawRequest): Promise<RawAnswer> {
  const connection = await openRaw(port);
  try {
    connection.send(requestBytes(request));
    return await connection.answer(request.method);
  } finally {
    connection.close();
  }
}

/**
 * Decodes the part of a chunked body (RFC 9112 §7.1) that has arrived, after the head of its answer. Throws for a
 * malformed chunk.
 */
export function readChunks(text: string): string {
  const bytes = Buffer.from(text);
  let body = '';
  for (let at = bytes.indexOf('\r\n\r\n') + 4; at < bytes.length;) {
    const [line = ''] = /^[0-9a-f]+\r\n/.exec(bytes.toString('latin1', at, at + 12)) ?? [];
    const start = at + line.length;
    const end = start + Number.parseInt(line, 16);
    if (line === '' || (end + 2 <= bytes.length && bytes.toString('latin1', end, end + 2) !== '\r\n'))
      throw new Error(`no chunk: ${bytes.toString('latin1', at, at + 100)}`);
    body += bytes.toString('utf8', start, end);
    at = end + 2;
  }
  return body;
}

export async function openRaw(port: number): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return new RawConnection(socket);
}

/** A TCP connection that sends and receives bytes. */
export class RawConnection {
  /** Resolves when the other side has closed or reset the connection. */
  readonly ended: Promise<void>;
  readonly #socket: Socket;
  readonly #waiting = new Set<() => void>();
  #bytes = Buffer.alloc(0);
  #over = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake();
    });
    socket.on('error', () => undefined); // 'close' follows
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        this.#over = true;
        this.#wake();
        resolve();
      };
      socket.once('end', end);
      socket.once('close', end);
    });
  }

  /** Everything received that `answer` has not taken. */
  get text(): string {
    return this.#bytes.toString('utf8');
  }

  send(bytes: string | Buffer): void {
    this.#socket.write(bytes);
  }

  /** Sends FIN; answers can still be read. */
  finish(): void {
    this.#socket.end();
  }

  /** Stops reading until `resume`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Waits until `text` has arrived; rejects when the connection ends before. */
  async until(text: string): Promise<void> {
    await this.#when(() => this.#bytes.includes(text));
  }

  /**
   * Takes one answer: up to its Content-Length or last chunk, otherwise up to the end of the connection. Leaves the
   * body of an event stream, which may never end, for `until`.
   */
  async answer(method = 'GET'): Promise<RawAnswer> {
    await this.until('\r\n\r\n');
    const end = this.#bytes.indexOf('\r\n\r\n');
    const [statusLine = '', ...lines] = this.#bytes.subarray(0, end).toString('latin1').split('\r\n');
    this.#bytes = this.#bytes.subarray(end + 4);
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
    const headers = lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    });
    const header = (name: string): string | undefined => {
      const values = headers.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value);
      return values.length === 0 ? undefined : values.join(', ');
    };
    const isStream =
      header('content-type')?.startsWith('text/event-stream') === true &&
      header('content-length') === undefined;
    const bodiless = method === 'HEAD' || status === 204 || status === 304 || isStream;
    const body = bodiless ? '' : await this.#body(header('content-length'), header('transfer-encoding'));
    return { status, headers, body, header };
  }

  async #body(contentLength: string | undefined, transferEncoding: string | undefined): Promise<string> {
    if (transferEncoding === 'chunked') return await this.#chunks();
    if (contentLength !== undefined) return await this.#take(Number(contentLength));
    await this.ended;
    return await this.#take(this.#bytes.length);
  }

  async #chunks(): Promise<string> {
    let body = '';
    for (;;) {
      await this.until('\r\n');
      const size = Number.parseInt(await this.#take(this.#bytes.indexOf('\r\n') + 2), 16);
      body += (await this.#take(size + 2)).slice(0, -2);
      if (size === 0) return body;
    }
  }

  async #take(length: number): Promise<string> {
    await this.#when(() => this.#bytes.length >= length);
    const taken = this.#bytes.subarray(0, length).toString('utf8');
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }

  #when(condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (condition()) resolve();
        else if (this.#over) reject(new Error(`the connection is over; left of what it said:\n${this.text}`));
        else return;
        this.#waiting.delete(check);
      };
      this.#waiting.add(check);
      check();
    });
  }

  #wake(): void {
    for (const check of this.#waiting) check();
  }
}
