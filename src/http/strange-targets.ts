import type { FastifyInstance } from 'fastify';
import { BrokerError } from '../core/errors.ts';

/**
 * Requests that are right in form and that no route can answer: without a Host (RFC 9112 §3.2), about the server as a whole
 * (§3.2.4), or with an expectation that nobody here can meet (RFC 9110 §10.1.1).
 */
export function refuseStrangeTargets(app: FastifyInstance): void {
  // Node would answer these without a body, and without the headers that other origins need.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.server.on('checkContinue', (request, response) => {
    // While the answers to requests before it are not out, Node would put this behind the head of an answer whose body
    // are bytes, and so into it.
    const meet = (): void => {
      if (!response.headersSent) response.writeContinue();
    };
    if (response.socket === null) response.once('socket', meet);
    else meet();
    app.server.emit('request', request, response);
  });

  app.addHook('onRequest', (request, reply, done) => {
    const { headers, raw } = request;
    if (raw.httpVersion === '1.1' && headers.host === undefined) {
      reply.header('connection', 'close');
      done(new BrokerError('bad-request', 'A request of HTTP/1.1 needs a Host header.'));
    } else if (headers.expect !== undefined && !/^100-continue$/i.test(headers.expect)) {
      // Its body may be waiting for an answer that never comes.
      reply.header('connection', 'close');
      done(
        new BrokerError('expectation-failed', 'Expect takes 100-continue and nothing else; leave it out.'),
      );
    } else if (raw.url !== '*') {
      done();
    } else if (raw.method === 'OPTIONS') {
      void reply.code(204).send();
    } else {
      done(new BrokerError('bad-request', 'Only OPTIONS can be asked of *; name a path.'));
    }
  });
}
