import type { Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';
import { asChunk } from '../stream/shared-bytes.ts';
import { detachSocket } from '../stream/detach-socket.ts';
import { Http2Wire } from '../stream/http2-wire.ts';
import { SocketWire, tcpSocketOf } from '../stream/socket-wire.ts';
import { STREAM_HEADERS, streamHead } from '../stream/stream-head.ts';
import type { Wire } from '../stream/wire.ts';
import { hasEnded } from '../tcp/socket-connection.ts';

/**
 * Writes the head of a stream and its first bytes, one character a byte, without Fastify, and passes the wire for the rest to `begin`. Calls `begin` at
 * once, or after the answers to earlier requests on the same connection. Never calls it when the client has left: a stream needs
 * both halves of its connection.
 */
export function openWire(reply: FastifyReply, first: string, begin: (wire: Wire) => void): void {
  reply.hijack();
  if (reply.request.raw.httpVersionMajor === 2) {
    const wire = openHttp2Wire(reply, first);
    if (wire !== undefined) begin(wire);
    return;
  }
  const { raw } = reply;
  const chunked = raw.req.httpVersionMinor === 1;
  const take = (socket: Socket): void => {
    if (socket.destroyed) return;
    const wire = new SocketWire(socket, chunked);
    // The client's FIN came first, so 'end' was emitted already and is not emitted again. The HTTP server may have kept the
    // connection: when half a request came before the FIN, the server first sends the answers to the requests before.
    if (hasEnded(socket)) {
      wire.end();
      return;
    }
    // `hijack` skips the hooks that write the headers of plugins, such as CORS, so they are written here.
    const head = streamHead(reply.getHeaders(), chunked);
    detachSocket(socket, raw);
    socket.on('end', destroyThis);
    socket.cork();
    socket.write(head + (chunked ? asChunk(first, 'latin1') : first), 'latin1');
    socket.setTimeout(0);
    begin(wire);
  };
  // With an earlier request on the same connection, the response gets the socket after that request is answered.
  if (raw.socket === null) raw.once('socket', take);
  else take(raw.socket);
}

/** All streams share this listener. */
function destroyThis(this: Socket): void {
  this.destroy();
}

function openHttp2Wire(reply: FastifyReply, first: string): Wire | undefined {
  const { stream } = reply.raw as unknown as Http2ServerResponse;
  const { session } = stream;
  if (stream.destroyed || stream.closed || session === undefined) return undefined;
  const more = Object.entries(reply.getHeaders()).filter(([, value]) => value !== undefined);
  stream.respond({ ...Object.fromEntries(more), ...STREAM_HEADERS });
  const wire = new Http2Wire(stream, tcpSocketOf(session.socket));
  wire.write(first, 'latin1');
  return wire;
}
