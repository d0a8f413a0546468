import type { TokenAccess } from '../auth/access.ts';
import type { Hub } from '../delivery/hub.ts';
import type { Subscription } from '../delivery/subscription.ts';
import type { ChannelName } from '../events/channel-name.ts';
import type { Start } from '../events/cursor.ts';
import type { Revocations } from '../replicas/revocations.ts';
import { encodeRetry } from '../stream/broker-events.ts';
import { ChannelSetStream } from '../stream/channel-set-stream.ts';
import { ChannelSets } from '../stream/channel-set.ts';
import type { Connections, StreamHolder } from '../stream/connections.ts';
import { PlainConnection } from '../stream/plain-connection.ts';
import { PollConnection } from '../stream/poll-connection.ts';
import { SseConnection } from '../stream/sse-connection.ts';
import type { StreamChannels } from '../stream/sse-connection.ts';
import type { Wire } from '../stream/wire.ts';
import type { StreamRequest } from './stream-request.ts';

export interface StreamOpenerOptions {
  readonly hub: Pick<Hub, 'subscribe' | 'unsubscribe'>;
  readonly connections: Connections;
  readonly revocations: Pick<Revocations, 'refuses'>;
  readonly onOpened: () => void;
}

/** What a stream may read, and whose limits it counts against. */
export interface Admission {
  /** Undefined when the client needs no token and sent none. */
  readonly access: TokenAccess | undefined;
  readonly holder: StreamHolder;
}

/** Opens the subscriptions of a new stream, and sends the head and the first bytes, which are written. */
export type Begin = (wire: Wire, requested: StreamRequest, admission: Admission) => void;

/** Opens streams over wires whose head is written. */
export class StreamOpener {
  readonly #options: StreamOpenerOptions;
  readonly #sets = new ChannelSets();

  constructor(options: StreamOpenerOptions) {
    this.#options = options;
  }

  /** The first bytes of a stream. */
  first(): string {
    return `${encodeRetry(this.#options.connections.jitteredRetry())}:\n`;
  }

  /** Opens the stream of a single channel. */
  readonly one: Begin = (wire, requested, admission) => {
    const channel = requested.channels[0] as ChannelName;
    const connection = this.#connection(wire, channel, requested, admission);
    const subscription = this.#options.hub.subscribe(channel, requested.starts[0] as Start, connection);
    connection.source = subscription;
    this.#begun(connection, admission, this.#leaveOne);
    // Where the channel is followed, a reader of new events is live after this step, and gets its head and `sluice:ready` in one
    // write. No other turn of the event loop is needed.
    subscription.run();
    if (subscription.liveIndex >= 0) wire.release();
    else setImmediate(release, wire);
  };

  /** Opens a stream of many channels. */
  readonly many: Begin = (wire, requested, admission) => {
    const { hub, connections } = this.#options;
    const { channels, starts } = requested;
    const set = this.#sets.acquire(channels);
    const connection = this.#connection(wire, set, requested, admission);
    const startOf = new Map(channels.map((channel, index) => [channel, starts[index] as Start]));
    const stream = new ChannelSetStream({
      hub,
      loop: connections.loop,
      connection,
      set,
      starts: set.names.map((name) => startOf.get(name) as Start),
    });
    connection.source = stream;
    this.#begun(connection, admission, () => {
      stream.end();
      this.#sets.release(set);
    });
    setImmediate(release, wire);
  };

  /** All streams of a single channel share this function. */
  readonly #leaveOne = ({ channels, source }: SseConnection): void => {
    this.#options.hub.unsubscribe(channels as ChannelName, source as Subscription);
  };

  #connection(
    wire: Wire,
    channels: StreamChannels,
    { heartbeatEvents, heartbeatMs, plain, wait, starts: [start] }: StreamRequest,
    { access }: Admission,
  ): SseConnection {
    const { connections } = this.#options;
    const expiry = connections.expiry(access?.expiresAt ?? Infinity);
    const own = { expiry, channels, holder: access, heartbeatEvents, heartbeatMs };
    if (plain) return new PlainConnection(wire, connections, own, start?.from === 'id');
    return wait === undefined
      ? new SseConnection(wire, connections, own)
      : new PollConnection(wire, connections, own, wait);
  }

  #begun(
    connection: SseConnection,
    { access, holder }: Admission,
    onClose: (connection: SseConnection) => void,
  ): void {
    const { connections, revocations, onOpened } = this.#options;
    onOpened();
    connections.add(connection, holder, onClose);
    // The token may have been revoked while the request waited behind others on the same connection.
    if (access !== undefined && connection.hasChannel((channel) => revocations.refuses(access, channel)))
      connection.end('disconnected', connections.jitteredRetry());
  }
}

/** Sends the corked bytes at the end of this turn of the event loop. What the channel writes until then leaves with them. */
function release(wire: Wire): void {
  wire.release();
}
