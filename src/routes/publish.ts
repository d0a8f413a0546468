import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { bearerToken } from '../auth/bearer.ts';
import { parseChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';
import type { FairLoop } from '../delivery/fair-loop.ts';
import type { TracedRequest } from '../publish/request-tracer.ts';
import type { PublishBody } from '../publish/publication.ts';
import type { PublishAttempt, Publisher } from '../publish/publisher.ts';
import { PUBLISH, PUBLISH_RAW } from './publish-operations.ts';
import { clientAddress } from '../http/client-address.ts';
import { compressedBody, takeJsonBytes } from '../http/request-bodies.ts';

/** Parsing a body of this size takes about a millisecond, whatever it holds. */
const LARGE_BYTES = 64 * 1024;

export interface PublishOptions {
  readonly publisher: Publisher;
  readonly loop: Pick<FairLoop, 'inTurn'>;
}

/** `POST /publish` and `POST /publish/:channel` (docs/protocol.md §2). */
export async function publishRoutes(
  app: FastifyInstance,
  { publisher, loop }: PublishOptions,
): Promise<void> {
  const attempts = new WeakMap<FastifyRequest, PublishAttempt>();
  const bodies = new LargeBodies(loop);

  app.addHook('onRequest', (request, reply, done) => {
    const attempt = publisher.begin(() => described(request));
    attempts.set(request, attempt);
    // Fastify's onResponse does not run when the client leaves early.
    const { raw } = reply;
    if (attempt.isTraced)
      raw.once('close', () => attempt.end(raw.writableFinished ? raw.statusCode : undefined));

    const proceed = (refusal: BrokerError | undefined): void => {
      if (attempt.rateHeaders !== undefined) reply.headers({ ...attempt.rateHeaders });
      done(refusal);
    };
    const credential = bearerToken(request.headers.authorization);
    const admitted = attempt.admit(credential, clientAddress(request), compressedBody(request.headers));
    if (admitted instanceof Promise) admitted.then(proceed, done);
    else proceed(admitted);
  });

  const publish = async (
    request: FastifyRequest,
    reply: FastifyReply,
    body: PublishBody,
  ): Promise<FastifyReply> => {
    const attempt = attempts.get(request);
    if (attempt === undefined) throw new Error('a publish has no attempt');
    const read = bodies.read(request.raw.socket, body.bytes?.length ?? 0, () => publisher.read(body));
    const publication = read instanceof Promise ? await read : read;
    const { json, replayed } = await attempt.publish(publication, request.headers['idempotency-key']);
    if (replayed) reply.header('idempotent-replayed', 'true');
    return answer(reply, json);
  };

  await app.register(async (json) => {
    takeJsonBytes(json);
    json.post<{ Body: Buffer | undefined }>(
      '/publish',
      { config: { operation: PUBLISH } },
      (request, reply) =>
        publish(request, reply, { channel: undefined, type: undefined, bytes: request.body }),
    );
  });

  await app.register(async (raw) => {
    // Fastify refuses unknown content types. This route accepts any type.
    raw.addHook('onRequest', (request, _reply, done) => {
      request.raw.headers['content-type'] = 'application/octet-stream';
      done();
    });
    raw.removeAllContentTypeParsers();
    raw.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    raw.post<{
      Params: { channel: string };
      Body: Buffer | undefined;
      Querystring: Record<string, string | string[]>;
    }>('/publish/:channel', { config: { operation: PUBLISH_RAW } }, (request, reply) => {
      const channel = parseChannelName(request.params.channel);
      const type = eventTypeOf(request.url, request.query);
      return publish(request, reply, { channel, type, bytes: request.body });
    });
  });
}

/** Bypasses Fastify's serializer and hooks, so that head and body leave in one write. */
function answer(reply: FastifyReply, json: string): FastifyReply {
  const { raw } = reply;
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) raw.setHeader(name, value);
  }
  raw.writeHead(200, {
    'content-type': 'application/json',
    'content-length': json.length,
    'x-content-type-options': 'nosniff',
  });
  raw.end(json);
  return reply;
}

function described(request: FastifyRequest): TracedRequest {
  const { headers } = request;
  return {
    method: request.method,
    scheme: request.protocol,
    route: request.routeOptions.url ?? '',
    path: request.url.split('?', 1)[0] ?? '',
    traceparent: textOf(headers['traceparent']),
    tracestate: textOf(headers['tracestate']),
  };
}

/** Returns the text of a header field; undefined for a list. Node joins most repeated fields to one text, which is invalid. */
function textOf(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function eventTypeOf(url: string, query: Record<string, string | string[]>): string | undefined {
  try {
    // The query parser does not report invalid percent-encoding.
    decodeURIComponent(url);
  } catch {
    throw new BrokerError('invalid-query', 'The query is not percent-encoded UTF-8.');
  }
  for (const name of Object.keys(query)) {
    if (name !== 'event')
      throw new BrokerError(
        'invalid-query',
        `The query has "${name.slice(0, 100)}"; only event=<type> is allowed.`,
      );
  }
  const { event } = query;
  if (Array.isArray(event)) throw new BrokerError('invalid-query', 'The query has event= more than once.');
  return event;
}

/**
 * Parses large bodies one after the other in slices of the loop. So many large bodies that arrive in one turn of the event loop
 * do not hold it. A later body on the same connection, even a small one, waits for the earlier bodies, so that pipelined
 * events keep their order.
 */
class LargeBodies {
  readonly #loop: Pick<FairLoop, 'inTurn'>;
  /** The number of waiting bodies, by connection. */
  readonly #waiting = new WeakMap<object, number>();

  constructor(loop: Pick<FairLoop, 'inTurn'>) {
    this.#loop = loop;
  }

  /** Returns the result of `work`. Returns a promise only when the body has to wait. */
  read<T>(connection: object, length: number, work: () => T): T | Promise<T> {
    const before = this.#waiting.get(connection) ?? 0;
    if (length < LARGE_BYTES && before === 0) return work();
    this.#waiting.set(connection, before + 1);
    return this.#loop.inTurn(work).finally(() => {
      this.#waiting.set(connection, (this.#waiting.get(connection) ?? 1) - 1);
    });
  }
}
