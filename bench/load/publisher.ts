import { connect } from 'node:net';
import type { Socket } from 'node:net';

export interface Answered {
  readonly status: number;
  readonly text: string;
}

/** One publisher on one keep-alive connection. It sends a request after the answer to the previous one. */
export class Publisher {
  readonly #port: number;
  #socket: Socket | undefined;
  #received = '';
  #waiting: PromiseWithResolvers<Answered> | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends the request. Connects first if necessary. Rejects when the connection breaks before the answer. */
  async send(request: string): Promise<Answered> {
    const socket = (this.#socket ??= this.#connect());
    this.#waiting = Promise.withResolvers();
    socket.write(request, 'latin1');
    return await this.#waiting.promise;
  }

  close(): void {
    this.#socket?.resetAndDestroy();
  }

  #connect(): Socket {
    const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true });
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => {
      this.#socket = undefined;
      this.#received = '';
      this.#waiting?.reject(new Error('closed by the server'));
    });
    return socket;
  }

  #read(text: string): void {
    this.#received += text;
    const answer = this.#received;
    const headEnd = answer.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const head = answer.slice(0, headEnd);
    const length = /^content-length: *(\d+)/im.exec(head)?.[1];
    const body = headEnd + 4;
    const chunked = length === undefined && /^transfer-encoding: *chunked/im.test(head);
    if (chunked ? !answer.endsWith('0\r\n\r\n') : answer.length < body + Number(length ?? 0)) return;
    this.#received = '';
    this.#waiting?.resolve({ status: Number(answer.slice(9, 12)), text: answer });
  }
}
