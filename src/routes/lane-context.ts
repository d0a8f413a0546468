import type { FairLoop } from '../delivery/fair-loop.ts';
import type { Publisher } from '../publish/publisher.ts';
import type { ClientConnection } from '../tcp/client-connection.ts';
import type { PublishAnswers } from './publish-answers.ts';
import type { StreamLane } from './stream-lane.ts';

/** The parts that all connections of a lane share. */
export interface LaneContext {
  readonly publisher: Pick<Publisher, 'begin' | 'isTraced' | 'known' | 'read' | 'refusalOf'>;
  readonly streams: Pick<StreamLane, 'admit' | 'open'>;
  /** Whether an address is in SLUICE_TRUSTED_PROXIES. */
  readonly trusts: (address: string) => boolean;
  /** The limit for request line and headers together, in bytes. */
  readonly maxHeaderBytes: number;
  /** The limit for a body, in bytes. */
  readonly maxBodyBytes: number;
  /** How long a connection may be idle after an answer, in ms. */
  readonly keepAlive: number;
  readonly loop: Pick<FairLoop, 'addOpening'>;
  /** Called with errors that are not BrokerErrors. */
  readonly onError: (error: unknown) => void;
  /** Makes the answers. */
  readonly answers: PublishAnswers;
  /** The connections of the lane. */
  readonly all: Pick<Set<object>, 'delete'>;
  /** Hands the connection to the HTTP server with the bytes that have arrived. `ended`: and with the client's FIN. */
  readonly handOver: (connection: ClientConnection, received: Buffer | undefined, ended: boolean) => void;
}
