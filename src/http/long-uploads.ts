import type { IncomingMessage } from 'node:http';
import { constants } from 'node:http2';
import type { Http2ServerRequest } from 'node:http2';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { BrokerError } from '../events/errors.ts';
import { writeProblem } from './problem.ts';

/** How long the rest of a refused upload is read and dropped, in ms, so that its client can read the answer. */
const DROP_MS = 5_000;

/** The sockets of HTTP/1.1 and the streams of HTTP/2 whose request may take longer than other requests. */
const LONG = new WeakSet<object>();

/** Whether the request that arrives now, on this socket or stream, may take longer than others. */
export function isLongUpload(carrier: object): boolean {
  return LONG.has(carrier);
}

/** Lets a request take longer than other requests. The caller ends it when it is silent for too long. */
export function allowLongUpload(request: FastifyRequest): void {
  const stream = http2StreamOf(request);
  const carrier = stream ?? request.raw.socket;
  LONG.add(carrier);
  stream?.setTimeout(0);
  if (stream === undefined) request.raw.once('close', () => LONG.delete(carrier));
}

/**
 * Refuses an upload of which a part has not arrived. A connection that is closed with unread bytes is reset, and its client may
 * lose the answer. So the rest is read and dropped, until the client stops or some seconds have passed.
 */
export function refuseUpload(request: FastifyRequest, reply: FastifyReply, error: BrokerError): void {
  const stream = http2StreamOf(request);
  const { raw: incoming } = request;
  const { raw: response } = reply;
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined && name !== 'connection') response.setHeader(name, value);
  writeProblem(response, error, stream === undefined);
  incoming.removeAllListeners('data');
  incoming.resume();
  if (stream !== undefined) {
    // RFC 9113 §8.1: after a complete answer, the server can stop the rest of the request with NO_ERROR.
    stream.once('finish', () => stream.close(constants.NGHTTP2_NO_ERROR));
    response.end();
    return;
  }
  const timer = setTimeout(() => response.end(), DROP_MS).unref();
  incoming.once('close', () => {
    clearTimeout(timer);
    response.end();
  });
}

function http2StreamOf({ raw }: FastifyRequest): Http2ServerRequest['stream'] | undefined {
  return raw.httpVersionMajor === 2
    ? (raw as IncomingMessage & Partial<Pick<Http2ServerRequest, 'stream'>>).stream
    : undefined;
}
