import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { bearerToken } from '../auth/bearer.ts';
import { parseChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';
import type { FairLoop } from '../delivery/fair-loop.ts';
import type { TracedRequest } from '../publish/request-tracer.ts';
import { IDEMPOTENCY_KEY } from '../publish/publication.ts';
import type { PublishBody } from '../publish/publication.ts';
import type { PublishAttempt, Publisher } from '../publish/publisher.ts';
import { PUBLISH, PUBLISH_RAW } from './publish-operations.ts';
import { clientAddress } from '../http/client-address.ts';
import { compressedBody, takeJsonBytes } from '../http/request-bodies.ts';

/** A body of this size takes about a millisecond to read, whatever it holds. */
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
    const { json, replayed } = await attempt.publish(publication, idempotencyKeyOf(request));
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
    // Fastify refuses a content type that it cannot parse. Here the type does not matter.
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

/** Bypasses Fastify's serializer and its hooks: head and body leave in one write. */
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

/** Node joins a field that came twice, and then it is not valid. */
function textOf(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function eventTypeOf(url: string, query: Record<string, string | string[]>): string | undefined {
  try {
    // The query parser keeps what it cannot decode as it is.
    decodeURIComponent(url);
  } catch {
    throw new BrokerError('invalid-query', 'The query is not percent-encoded UTF-8.');
  }
  for (const name of Object.keys(query)) {
    if (name !== 'event')
      throw new BrokerError(
        'invalid-query',
        `The query has "${name.slice(0, 100)}"; only event=<type> is known here.`,
      );
  }
  const { event } = query;
  if (Array.isArray(event)) throw new BrokerError('invalid-query', 'The query has event= more than once.');
  return event;
}

function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && IDEMPOTENCY_KEY.test(key)) return key;
  throw new BrokerError('bad-request', 'Idempotency-Key takes 1 to 200 visible ASCII characters, once.');
}

/**
 * Reads large bodies one after the other in the slices of the loop, so that many large bodies that arrive in one turn of
 * the event loop do not hold it. A later body on the same connection waits for the earlier one, however small it is, so
 * that pipelined events keep their order.
 */
class LargeBodies {
  readonly #loop: Pick<FairLoop, 'inTurn'>;
  /** The number of bodies that wait, by connection. */
  readonly #waiting = new WeakMap<object, number>();

  constructor(loop: Pick<FairLoop, 'inTurn'>) {
    this.#loop = loop;
  }

  /** Gives the result of `work`; a promise only when the body has to wait. */
  read<T>(connection: object, length: number, work: () => T): T | Promise<T> {
    const before = this.#waiting.get(connection) ?? 0;
    if (length < LARGE_BYTES && before === 0) return work();
    this.#waiting.set(connection, before + 1);
    return this.#loop.inTurn(work).finally(() => {
      this.#waiting.set(connection, (this.#waiting.get(connection) ?? 1) - 1);
    });
  }
}
