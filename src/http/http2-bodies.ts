import { constants } from 'node:http2';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { BrokerError } from '../events/errors.ts';
import { Deadlines } from './deadlines.ts';
import { isLongUpload } from './long-uploads.ts';

/** nghttp2_stream_proto_state: the client has sent its whole request. */
const HALF_CLOSED_REMOTE = constants.NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE;

interface Arriving {
  readonly request: Http2ServerRequest;
  readonly response: Http2ServerResponse;
}

/**
 * Watches request bodies over HTTP/2. Node has no timeout for them. It also treats a body that was cut off like a complete one,
 * so that a part of an event would be published.
 */
export class Http2Bodies {
  readonly #deadlines: Deadlines<Arriving>;
  readonly #onSlow: (address: string | undefined) => void;

  /** @param timeout how long a whole request may take, in ms */
  constructor(timeout: number, onSlow: (address: string | undefined) => void) {
    this.#deadlines = new Deadlines(timeout, (arriving) => this.#late(arriving));
    this.#onSlow = onSlow;
  }

  /** Call it before anything reads the request. */
  watch(request: Http2ServerRequest, response: Http2ServerResponse): void {
    const { stream } = request;
    if (stream.endAfterHeaders) return;
    const arriving: Arriving = { request, response };
    let whole = false;
    this.#deadlines.start(arriving);
    // Without a listener, an error on a request whose body is not read would end the process.
    request.on('error', () => undefined);
    const over = (): void => {
      this.#deadlines.stop(arriving);
      if (!whole && !request.destroyed && !response.writableEnded)
        request.destroy(new BrokerError('bad-request', 'The request ended before its body did.'));
    };
    // Runs before Node's own listeners, which end the request as if it were complete. A reset stream is closed by then.
    stream.prependListener('end', () => {
      whole = !stream.closed;
      over();
    });
    stream.prependListener('close', over);
  }

  /** Refuses late requests. */
  sweep(): void {
    this.#deadlines.sweep();
  }

  #late({ request, response }: Arriving): void {
    const { stream } = request;
    if (
      isLongUpload(stream) ||
      stream.destroyed ||
      stream.closed ||
      stream.state.state === HALF_CLOSED_REMOTE
    )
      return;
    // An answer in progress, such as a stream of events, does not depend on the rest of its request.
    if (stream.headersSent && !response.writableEnded) return;
    this.#onSlow(stream.session?.socket.remoteAddress);
    // Without a second error listener nothing reads the body, so nothing would answer the error.
    if (stream.headersSent || request.listenerCount('error') < 2) {
      stream.close(stream.headersSent ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_CANCEL);
      return;
    }
    // RFC 9113 §8.1: after a complete answer, the server can stop the rest of the request with NO_ERROR.
    stream.once('finish', () => stream.close(constants.NGHTTP2_NO_ERROR));
    request.destroy(new BrokerError('request-timeout', 'The request did not arrive in time.'));
  }
}
