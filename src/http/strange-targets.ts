import type { FastifyInstance } from 'fastify';
import { BrokerError } from '../events/errors.ts';

/**
 * Answers requests that are valid HTTP but that no route can answer: without Host (RFC 9112 §3.2), with the target `*` (§3.2.4),
 * or with an unknown expectation (RFC 9110 §10.1.1).
 */
export function refuseStrangeTargets(app: FastifyInstance): void {
  // Without this listener Node answers by itself, without a body and without CORS headers.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.server.on('checkContinue', (request, response) => {
    // While answers to earlier requests are pending, Node would write the 100 into the body of an earlier answer.
    const sendContinue = (): void => {
      if (!response.headersSent) response.writeContinue();
    };
    if (response.socket === null) response.once('socket', sendContinue);
    else sendContinue();
    app.server.emit('request', request, response);
  });

  app.addHook('onRequest', (request, reply, done) => {
    const { headers, raw } = request;
    if (raw.httpVersion === '1.1' && headers.host === undefined) {
      reply.header('connection', 'close');
      done(new BrokerError('bad-request', 'An HTTP/1.1 request needs a Host header.'));
    } else if (headers.expect !== undefined && !/^100-continue$/i.test(headers.expect)) {
      // Closes the connection, because the client may hold back its body until a 100 that never comes.
      reply.header('connection', 'close');
      done(
        new BrokerError('expectation-failed', 'Expect may only be 100-continue. Remove the header Expect.'),
      );
    } else if (raw.url !== '*') {
      done();
    } else if (raw.method === 'OPTIONS') {
      void reply.code(204).send();
    } else {
      done(new BrokerError('bad-request', 'The target * is allowed only with OPTIONS. Use a path.'));
    }
  });
}
