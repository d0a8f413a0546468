import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { bearerToken } from '../auth/bearer.ts';
import { parseChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';
import { parseEventId } from '../events/event.ts';
import type { EventId } from '../events/event.ts';
import type { FairLoop } from '../delivery/fair-loop.ts';
import type { TracedRequest } from '../publish/request-tracer.ts';
import { checkEventType } from '../publish/publication.ts';
import type { Broadcast, Publication, PublishBody } from '../publish/publication.ts';
import { isList } from '../publish/publication-list.ts';
import type { ListForm } from '../publish/publication-list.ts';
import type { PublishAnswer } from '../publish/publish-answer.ts';
import type { PublishAttempt } from '../publish/publish-attempt.ts';
import type { Publisher } from '../publish/publisher.ts';
import { PUBLISH } from './publish-operations.ts';
import { PUBLISH_PUT, PUBLISH_RAW } from './publish-raw-operations.ts';
import { readPublishQuery } from './publish-query.ts';
import { UPLOAD_SILENCE_MS, publishUpload } from './publish-upload.ts';
import { clientAddress } from '../http/client-address.ts';
import { compressedBody, takeJsonBytes } from '../http/request-bodies.ts';

/** Parsing a body of this size takes about a millisecond, whatever it holds. */
const LARGE_BYTES = 64 * 1024;
const NDJSON = 'application/x-ndjson';
/** A media type that only this file uses: the body of an upload is not read before its handler runs. */
const UPLOAD = 'application/x-sluice-upload';

export interface PublishOptions {
  readonly publisher: Publisher;
  readonly loop: Pick<FairLoop, 'inTurn'>;
  /** How long an upload may send nothing, in ms. Default: UPLOAD_SILENCE_MS. Only tests set it. */
  readonly uploadSilence?: number;
}

interface RawRoute {
  Params: { channel: string };
  Body: Buffer | undefined;
  Querystring: Record<string, string | string[]>;
}

type RawRequest = FastifyRequest<RawRoute>;

/** `POST /publish`, and `POST` and `PUT` of `/publish/:channel` (docs/protocol.md §2). */
export async function publishRoutes(
  app: FastifyInstance,
  { publisher, loop, uploadSilence = UPLOAD_SILENCE_MS }: PublishOptions,
): Promise<void> {
  const requests = new PublishRequests(app, publisher, loop);

  await app.register(async (json) => {
    takeJsonBytes(json, ['application/json', NDJSON]);
    json.post<{ Body: Buffer | undefined }>(
      '/publish',
      { config: { operation: PUBLISH } },
      (request, reply) => {
        const { body: bytes, headers } = request;
        if (headers['content-type']?.toLowerCase().startsWith(NDJSON) === true)
          return requests.publishList(request, reply, bytes, 'lines');
        if (bytes !== undefined && isList(bytes)) return requests.publishList(request, reply, bytes, 'list');
        return requests.publish(request, reply, { channel: undefined, type: undefined, bytes });
      },
    );
  });

  const publishRaw = async (request: RawRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const channel = parseChannelName(request.params.channel);
    const { type, key, end, form } = readPublishQuery(request.url, request.query);
    if (form === undefined)
      return await requests.publish(request, reply, { channel, type, key, end, bytes: request.body });
    checkEventType(type);
    const attempt = requests.attemptOf(request);
    const ifLast = conditionOf(request.headers['if-match']);
    const head = { channel, type, key, end, form, ifLast };
    const result = await requests.inOrder(request, () =>
      publishUpload(request, reply, { attempt, head, silence: uploadSilence }),
    );
    return result === undefined ? reply : answer(reply, attempt, result);
  };

  await app.register(async (raw) => {
    // Fastify refuses unknown content types. This route accepts any type.
    raw.addHook('onRequest', (request, _reply, done) => {
      const isUpload = (request.query as { each?: unknown }).each !== undefined;
      request.raw.headers['content-type'] = isUpload ? UPLOAD : 'application/octet-stream';
      done();
    });
    raw.removeAllContentTypeParsers();
    raw.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    raw.addContentTypeParser(UPLOAD, (_request, _stream, done) => done(null, undefined));
    raw.post<RawRoute>('/publish/:channel', { config: { operation: PUBLISH_RAW } }, publishRaw);
    raw.put<RawRoute>('/publish/:channel', { config: { operation: PUBLISH_PUT } }, publishRaw);
  });
}

/** Publishes what requests hold. */
class PublishRequests {
  readonly #publisher: Publisher;
  readonly #attempts = new WeakMap<FastifyRequest, PublishAttempt>();
  readonly #turns: ConnectionTurns;

  /** Admits every request of `app` before its body is read. */
  constructor(app: FastifyInstance, publisher: Publisher, loop: Pick<FairLoop, 'inTurn'>) {
    this.#publisher = publisher;
    this.#turns = new ConnectionTurns(loop);
    app.addHook('onRequest', (request, reply, done) => {
      const attempt = publisher.begin(() => described(request));
      this.#attempts.set(request, attempt);
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
  }

  attemptOf(request: FastifyRequest): PublishAttempt {
    const attempt = this.#attempts.get(request);
    if (attempt === undefined) throw new Error('a publish has no attempt');
    return attempt;
  }

  /** Does the work after the earlier work of the request's connection. */
  inOrder<T>(request: FastifyRequest, work: () => Promise<T>): Promise<T> {
    return this.#turns.take(connectionOf(request), work);
  }

  async publish(request: FastifyRequest, reply: FastifyReply, body: PublishBody): Promise<FastifyReply> {
    const attempt = this.attemptOf(request);
    const key = request.headers['idempotency-key'];
    const connection = connectionOf(request);
    const read = this.#turns.read(connection, body.bytes?.length ?? 0, () => this.#publisher.read(body));
    const publication = conditioned(read instanceof Promise ? await read : read, request.headers['if-match']);
    const answered =
      publication.channels === undefined
        ? await attempt.publish(publication, key)
        : await this.#turns.take(connection, () => attempt.broadcast(publication, key));
    return answer(reply, attempt, answered);
  }

  async publishList(
    request: FastifyRequest,
    reply: FastifyReply,
    bytes: Buffer | undefined,
    form: ListForm,
  ): Promise<FastifyReply> {
    const attempt = this.attemptOf(request);
    const { 'idempotency-key': key, 'if-match': condition } = request.headers;
    if (condition !== undefined) throw severalChannels();
    const answered = await this.#turns.take(connectionOf(request), async () => {
      const list = await this.#publisher.readList(bytes ?? Buffer.alloc(0), form);
      return await attempt.publishList(list, key);
    });
    return answer(reply, attempt, answered);
  }
}

/** Requests of one connection of HTTP/1.1 are in order. Those of HTTP/2 are not: a proxy may carry many clients on one. */
function connectionOf({ raw }: FastifyRequest): object {
  return raw.httpVersionMajor === 2 ? raw : raw.socket;
}

/** Adds the condition of the header `If-Match`. */
function conditioned(
  publication: Publication | Broadcast,
  header: string | undefined,
): Publication | Broadcast {
  if (header === undefined) return publication;
  const ifLast = conditionOf(header);
  if (publication.ifLast !== undefined)
    throw new BrokerError('bad-request', 'The request has If-Match and ifLast. Send one of them.');
  if (publication.channels !== undefined && publication.channels.length !== 1) throw severalChannels();
  if (publication.channels === '*') throw severalChannels();
  return { ...publication, ifLast };
}

/** RFC 9110 §13.1.1, with an event id for the entity tag. The quotes may be left out. */
function conditionOf(header: string | undefined): EventId | undefined {
  if (header === undefined) return undefined;
  const ifLast = parseEventId(header.replace(/^"(.*)"$/, '$1'));
  if (ifLast === undefined)
    throw new BrokerError('bad-request', 'If-Match takes one event id, such as "1763596800000-0".');
  return ifLast;
}

function severalChannels(): BrokerError {
  return new BrokerError(
    'bad-request',
    'If-Match needs a request for a single event. In a list, give the event a field ifLast.',
  );
}

/** Bypasses Fastify's serializer and hooks, so that head and body leave in one write. */
function answer(
  reply: FastifyReply,
  { rateHeaders }: PublishAttempt,
  { json, replayed }: PublishAnswer,
): FastifyReply {
  const { raw } = reply;
  if (rateHeaders !== undefined) reply.headers({ ...rateHeaders });
  if (replayed) reply.header('idempotent-replayed', 'true');
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

/**
 * Keeps the order of pipelined requests. A large body is parsed in a slice of the loop, and a body of many events or an upload
 * takes many appends. A later publish on the same connection waits for them.
 */
class ConnectionTurns {
  readonly #loop: Pick<FairLoop, 'inTurn'>;
  /** The end of the work that was taken up last, by connection. */
  readonly #last = new WeakMap<object, Promise<unknown>>();

  constructor(loop: Pick<FairLoop, 'inTurn'>) {
    this.#loop = loop;
  }

  /** Returns the result of `work`. Returns a promise only when the body has to wait. */
  read<T>(connection: object, length: number, work: () => T): T | Promise<T> {
    if (length < LARGE_BYTES && !this.#last.has(connection)) return work();
    return this.take(connection, () => this.#loop.inTurn(work));
  }

  /** Does the work after all earlier work of the connection. */
  take<T>(connection: object, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(connection);
    const done = before === undefined ? work() : before.then(work, work);
    this.#last.set(connection, done);
    const forget = (): void => {
      if (this.#last.get(connection) === done) this.#last.delete(connection);
    };
    done.then(forget, forget);
    return done;
  }
}
