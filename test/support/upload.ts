import { expect } from 'vitest';
import type { Broker } from './broker.ts';
import { openRaw } from './raw-http.ts';
import type { RawAnswer } from './raw-http.ts';
import { openStream } from './sse-reader.ts';
import type { SseStream } from './sse-reader.ts';

/** An upload over HTTP/1.1 in chunks, so that a test decides when each part is sent. */
export interface RawUpload {
  /** Sends a chunk. */
  send(part: string | Buffer): void;
  /** Sends the last chunk, and waits for the answer. */
  finish(): Promise<RawAnswer>;
  /** Waits for an answer without the last chunk. */
  answer(): Promise<RawAnswer>;
  /** Breaks the connection off. */
  cut(): void;
}

/** @param target the channel and the query, such as `news?each=line` */
export async function openUpload(
  broker: Pick<Broker, 'port' | 'key'>,
  target: string,
  headers: readonly string[] = [],
): Promise<RawUpload> {
  const connection = await openRaw(broker.port);
  const head = [
    `POST /publish/${target} HTTP/1.1`,
    'Host: broker.test',
    `Authorization: Bearer ${broker.key}`,
    'Transfer-Encoding: chunked',
    ...headers,
  ];
  connection.send(`${head.join('\r\n')}\r\n\r\n`);
  const answer = async (): Promise<RawAnswer> => {
    const came = await connection.answer('POST');
    connection.close();
    return came;
  };
  return {
    send(part) {
      const bytes = Buffer.from(part);
      if (bytes.length === 0) return;
      connection.send(
        Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]),
      );
    },
    finish() {
      connection.send('0\r\n\r\n');
      return answer();
    },
    answer,
    cut: () => connection.close(),
  };
}

/** The answer to an upload that was published. */
export interface Uploaded {
  readonly channel: string;
  readonly published: number;
  readonly first: string | null;
  readonly last: string | null;
}

export function uploaded({ status, body }: Pick<RawAnswer, 'status' | 'body'>): Uploaded {
  expect([status, body]).toEqual([200, expect.any(String)]);
  return JSON.parse(body) as Uploaded;
}

/** Subscribes to a channel, and waits until it is live. */
export async function watch(broker: Pick<Broker, 'url'>, channel: string): Promise<SseStream> {
  const stream = await openStream(`${broker.url}/events/${channel}`);
  await stream.until('sluice:ready');
  return stream;
}

/** The data of the next events. */
export async function take(stream: SseStream, count: number): Promise<string[]> {
  const data: string[] = [];
  while (data.length < count) data.push((await stream.next()).data);
  return data;
}
