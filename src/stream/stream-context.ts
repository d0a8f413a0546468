import type { EndReason } from '../events/close-reason.ts';
import type { ChannelName } from '../events/channel-name.ts';
import type { FairLoop } from '../delivery/fair-loop.ts';
import type { ChannelSet } from './channel-set.ts';
import type { GzipBody } from './gzip-body.ts';

/** The time in ms at the last sweep over all streams. Reading it needs no system call. */
export interface Pulse {
  now: number;
}

/** The parts that all streams of a replica share. */
export interface StreamContext {
  readonly pulse: Pulse;
  readonly loop: FairLoop;
}

/** When the broker ends a stream, and why. */
export interface Expiry {
  /** In ms on the clock of the pulse; Infinity for never. */
  readonly at: number;
  readonly reason: EndReason;
}

/** The subscription that writes to the stream. */
export interface StreamSource {
  /** The id from which the reader would resume; undefined when there is none. */
  readonly cursor: string | undefined;
  /** The position in one of several channels. A source of a single channel has no such method: its cursor is the position. */
  positionIn?(channel: ChannelName): string | undefined;
  /** The wire can take bytes again. */
  resume(): void;
}

export const NO_SOURCE: StreamSource = { cursor: undefined, resume: () => undefined };

/** The one channel of a stream, or all of its channels. */
export type StreamChannels = ChannelName | ChannelSet;

export interface SseConnectionOptions {
  readonly expiry: Expiry;
  readonly channels: StreamChannels;
  /** Undefined when no token was needed. Many streams may share one object. */
  readonly holder: Holder | undefined;
  /** Heartbeats are events that a page can see, and not comments. */
  readonly heartbeatEvents: boolean;
  /** The reader wants a heartbeat after this many ms of silence. Undefined for SLUICE_HEARTBEAT, which is the most. */
  readonly heartbeatMs?: number | undefined;
  /** The body that the head has begun, when it is compressed. */
  readonly gzip?: GzipBody | undefined;
}

/** The parts of the token that opened a stream. They decide whether the stream is ended. */
export interface Holder {
  /** Undefined for a token without `sub`. */
  readonly subject: string | undefined;
  /** Epoch ms. */
  readonly issuedAt: number;
}
