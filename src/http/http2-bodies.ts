import { constants } from 'node:http2';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { BrokerError } from '../core/errors.ts';
import { Deadlines } from './deadlines.ts';

/** nghttp2_stream_proto_state: the client has said that nothing more follows. */
const HALF_CLOSED_REMOTE = constants.NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE;

interface Arriving {
  readonly request: Http2ServerRequest;
  readonly response: Http2ServerResponse;
}

/**
 * The bodies that arrive over HTTP/2. Node gives them no time in all, and takes one that is cut off for one that has
 * ended, so that half of it would be published.
 */
export class Http2Bodies {
  readonly #deadlines: Deadlines<Arriving>;
  readonly #onSlow: (address: string | undefined) => void;

  /** @param timeout how long a whole request may take, in ms */
  constructor(timeout: number, onSlow: (address: string | undefined) => void) {
    this.#deadlines = new Deadlines(timeout, (arriving) => this.#late(arriving));
    this.#onSlow = onSlow;
  }

  /** To be called before anybody reads the request. */
  watch(request: Http2ServerRequest, response: Http2ServerResponse): void {
    const { stream } = request;
    if (stream.endAfterHeaders) return;
    const arriving: Arriving = { request, response };
    let whole = false;
    this.#deadlines.start(arriving);
    // Whoever reads the body hears of it; where nobody does, it must not end the process.
    request.on('error', () => undefined);
    const over = (): void => {
      this.#deadlines.stop(arriving);
      if (!whole && !request.destroyed && !response.writableEnded)
        request.destroy(new BrokerError('bad-request', 'The request ended before its body did.'));
    };
    // Before Node's own listeners, which end the request as if it were whole. A stream that was reset is closed already.
    stream.prependListener('end', () => {
      whole = !stream.closed;
      over();
    });
    stream.prependListener('close', over);
  }

  /** Refuses what is late. */
  look(): void {
    this.#deadlines.look();
  }

  #late({ request, response }: Arriving): void {
    const { stream } = request;
    if (stream.destroyed || stream.closed || stream.state.state === HALF_CLOSED_REMOTE) return;
    // An answer that goes on, such as a stream of events, does not depend on the rest of its request.
    if (stream.headersSent && !response.writableEnded) return;
    this.#onSlow(stream.session?.socket.remoteAddress);
    // With no listener but the one of `watch` nobody reads the body, and nobody would answer.
    if (stream.headersSent || request.listenerCount('error') < 2) {
      stream.close(stream.headersSent ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_CANCEL);
      return;
    }
    // RFC 9113 §8.1: after a whole answer the rest of the request can be called off without an error.
    stream.once('finish', () => stream.close(constants.NGHTTP2_NO_ERROR));
    request.destroy(new BrokerError('request-timeout', 'The request did not arrive in time.'));
  }
}
