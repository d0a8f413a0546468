import type { Socket } from 'node:net';
import type { AllowedOrigins } from '../auth/allowed-origins.ts';
import type { Hub } from '../delivery/hub.ts';
import { parseChannelName } from '../events/channel-name.ts';
import type { Start } from '../events/cursor.ts';
import { BrokerError } from '../events/errors.ts';
import { forwardedClientAddress } from '../http/client-address.ts';
import { originHeaders } from '../http/cors.ts';
import { DateHeader } from '../http/date-header.ts';
import type { Connections } from '../stream/connections.ts';
import { asChunk } from '../stream/shared-bytes.ts';
import { SocketWire } from '../stream/socket-wire.ts';
import { TcpWire } from '../stream/tcp-wire.ts';
import { headAt, streamHeadBeforeDate } from '../stream/stream-head.ts';
import type { HeaderFields } from '../stream/stream-head.ts';
import type { Wire } from '../stream/wire.ts';
import type { ClientConnection } from '../tcp/client-connection.ts';
import type { SocketConnection } from '../tcp/socket-connection.ts';
import { TcpConnection } from '../tcp/tcp-connection.ts';
import { opensAtOnce } from './finished-stream.ts';
import type { PlainSubscribe } from './plain-subscribe.ts';
import { mayBeGone } from './plain-stream.ts';
import type { Admission, StreamOpener } from './stream-opener.ts';
import { readStreamRequest } from './stream-request.ts';
import type { StreamRequest } from './stream-request.ts';
import type { SubscriberAccess } from './subscriber-access.ts';

export interface StreamLaneOptions {
  readonly hub: Pick<Hub, 'knownStateOf'>;
  readonly opener: StreamOpener;
  readonly connections: Connections;
  readonly subscribers: Pick<SubscriberAccess, 'grantedAtOnce'>;
  readonly origins: Pick<AllowedOrigins, 'any' | 'none' | 'lists'>;
  /** SLUICE_HEADERS, by names in lower case. */
  readonly headers: HeaderFields;
  /** Whether an address is in SLUICE_TRUSTED_PROXIES. */
  readonly trusts: (address: string) => boolean;
}

/** A stream that may open at once. */
export interface AdmittedStream {
  readonly requested: StreamRequest;
  readonly admission: Admission;
  readonly origin: string | undefined;
}

/** Opens plain streams without the HTTP server, with the same answer as `routes/subscribe`. */
export class StreamLane {
  readonly #options: StreamLaneOptions;
  readonly #date = new DateHeader();
  /** The head for a page of an origin that is not listed, and for other clients. */
  readonly #unlistedHead: string;
  /** The listed origin that came last, and the head for its pages. */
  #listedOrigin: string | undefined;
  #listedHead = '';

  constructor(options: StreamLaneOptions) {
    this.#options = options;
    this.#unlistedHead = this.#headOf(undefined);
  }

  /**
   * Returns undefined for a request that the HTTP server has to answer: it is invalid or refused, or only the log or a key can say
   * what becomes of it. Counts nothing.
   */
  admit(request: PlainSubscribe, remoteAddress: string | undefined): AdmittedStream | undefined {
    const { hub, connections, subscribers, trusts } = this.#options;
    try {
      const channel = parseChannelName(request.channel);
      const channels = [channel];
      const granted = subscribers.grantedAtOnce(request, channels);
      if (granted === undefined) return undefined;
      const address = forwardedClientAddress(remoteAddress, request.forwardedFor, trusts);
      const requested = readStreamRequest(request, channels, address, true);
      const start = requested.starts[0] as Start;
      if (mayBeGone(requested.plain, start) || !opensAtOnce(hub, channel, start, requested.onlyActive))
        return undefined;
      const { access } = granted;
      const holder = { address, subject: access?.subject };
      if (connections.refusal(holder) !== undefined) return undefined;
      return { requested, admission: { access, holder }, origin: request.headers.origin };
    } catch (error) {
      if (error instanceof BrokerError) return undefined;
      throw error;
    }
  }

  /** Opens the stream on a connection whose request is read. */
  open(client: ClientConnection, { requested, admission, origin }: AdmittedStream): void {
    const { opener } = this.#options;
    const wire = wireOver(client);
    wire.outlet.cork();
    wire.outlet.write(headAt(this.#headFor(origin), this.#date.value) + asChunk(opener.first()));
    opener.one(wire, requested, admission);
  }

  #headFor(origin: string | undefined): string {
    if (!this.#options.origins.lists(origin)) return this.#unlistedHead;
    if (origin !== this.#listedOrigin) {
      this.#listedHead = this.#headOf(origin);
      this.#listedOrigin = origin;
    }
    return this.#listedHead;
  }

  #headOf(origin: string | undefined): string {
    const { origins, headers } = this.#options;
    return streamHeadBeforeDate({ ...originHeaders(origins, origin), ...headers }, true);
  }
}

/** A stream reads nothing, and ends when the client leaves. */
function wireOver(client: ClientConnection): Wire {
  client.resume();
  if (client instanceof TcpConnection) return new TcpWire(client);
  const socket = (client as SocketConnection).release();
  socket.on('end', destroyThis);
  socket.resume();
  return new SocketWire(socket, true);
}

/** All streams share this listener. A stream needs both halves of its connection. */
function destroyThis(this: Socket): void {
  this.destroy();
}
