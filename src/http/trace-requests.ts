import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { RequestTrace, RequestTracer } from '../core/request-tracer.ts';

/** Traces every request of this plugin's routes, also those that are refused. For hooks that come before all others. */
export function traceRequests(app: FastifyInstance, tracer: RequestTracer): void {
  const traces = new WeakMap<FastifyRequest, RequestTrace>();

  app.addHook('onRequest', (request, { raw }, done) => {
    const trace = tracer.start({
      method: request.method,
      scheme: request.protocol,
      route: request.routeOptions.url ?? '',
      path: request.url.split('?', 1)[0] ?? '',
      traceparent: headerOf(request, 'traceparent'),
      tracestate: headerOf(request, 'tracestate'),
    });
    traces.set(request, trace);
    // Fastify's onResponse does not run for a client that leaves.
    raw.once('close', () => trace.end(raw.writableFinished ? raw.statusCode : undefined));
    done();
  });

  // Only here: the body arrives by events of the socket, and what was current in the hook above is lost by then.
  app.addHook('preHandler', (request, _reply, done) => {
    const trace = traces.get(request);
    if (trace === undefined) done();
    else trace.during(done);
  });
}

/** A field that came twice is in doubt, and Node has joined the two. */
function headerOf({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}
