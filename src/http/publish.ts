import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../auth/access.ts';
import { revokedToken } from '../auth/bad-token.ts';
import type { Revocations } from '../auth/revocations.ts';
import { parseChannelName } from '../core/channel-name.ts';
import { matchesAny } from '../core/channel-pattern.ts';
import { BrokerError } from '../core/errors.ts';
import type { FairLoop } from '../core/fair-loop.ts';
import type { Hub } from '../core/hub.ts';
import type { RequestTracer } from '../core/request-tracer.ts';
import { PUBLISH, PUBLISH_RAW } from './api/publish-operations.ts';
import { invalidBody } from './body-faults.ts';
import { clientAddress } from './client-address.ts';
import { compressedBody } from './content-encoding.ts';
import { takeJsonBytes } from './json-body.ts';
import { LargeBodies } from './large-bodies.ts';
import { limitPublishRates } from './publish-rates.ts';
import type { PublishRateOptions } from './publish-rates.ts';
import type { Publication } from './publication.ts';
import { IDEMPOTENCY_KEY, acknowledgement, parsePublication, parseRawPublication } from './publication.ts';
import type { PublisherAccess } from './publisher-access.ts';
import { traceRequests } from './trace-requests.ts';

export interface PublishOptions {
  readonly hub: Pick<Hub, 'publish'>;
  readonly publishers: Pick<PublisherAccess, 'of'>;
  readonly revocations: Pick<Revocations, 'refuses'>;
  readonly rates: PublishRateOptions;
  /** Of a body, and of data as they are delivered. */
  readonly maxBodyBytes: number;
  readonly loop: Pick<FairLoop, 'inTurn'>;
  /** Undefined where nothing is traced. */
  readonly tracer: RequestTracer | undefined;
}

/** `POST /publish` and `POST /publish/:channel` (docs/protocol.md §2). */
export async function publishRoutes(
  app: FastifyInstance,
  { hub, publishers, revocations, rates, maxBodyBytes, loop, tracer }: PublishOptions,
): Promise<void> {
  if (tracer !== undefined) traceRequests(app, tracer);
  const accesses = new WeakMap<FastifyRequest, Access>();
  const bodies = new LargeBodies(loop);

  // Checked before the body is read: who may not publish does not get to make us parse.
  app.addHook('onRequest', (request, _reply, done) => {
    const admit = (access: Access): void => {
      accesses.set(request, access);
      done(refusalOf(request, access));
    };
    const access = publishers.of(request.headers.authorization, clientAddress(request));
    if (access instanceof BrokerError) done(access);
    else if (access instanceof Promise) access.then(admit, done);
    else admit(access);
  });
  await limitPublishRates(app, rates);

  const publish = async (
    request: FastifyRequest,
    reply: FastifyReply,
    body: Buffer | undefined,
    read: () => Publication,
  ): Promise<FastifyReply> => {
    const checked = bodies.read(request.raw.socket, body?.length ?? 0, read);
    const publication = checked instanceof Promise ? await checked : checked;
    const access = accesses.get(request);
    if (access === undefined || !matchesAny(access.publish, publication.channel)) {
      throw new BrokerError('forbidden', `The token does not grant publishing to ${publication.channel}.`);
    }
    // A publish key is taken back by taking it out of the settings.
    if (access.kind === 'token' && revocations.refuses(access, publication.channel)) throw revokedToken();
    const idempotencyKey = idempotencyKeyOf(request);
    const { id, replayed } = await hub.publish(publication.channel, publication.event, {
      idempotencyKey,
    });
    if (replayed) reply.header('idempotent-replayed', 'true');
    return answer(reply, acknowledgement(publication.channel, id));
  };

  await app.register(async (json) => {
    takeJsonBytes(json);
    json.post<{ Body: Buffer | undefined }>(
      '/publish',
      { config: { operation: PUBLISH } },
      (request, reply) => {
        if (request.body === undefined || request.body.length === 0) {
          const detail = 'is empty; send {"channel":"news","data":"hello"}';
          throw invalidBody([{ pointer: '', detail }]);
        }
        const { body } = request;
        return publish(request, reply, body, () => parsePublication(body, maxBodyBytes));
      },
    );
  });

  await app.register(async (raw) => {
    // Fastify refuses a type that it cannot read, also where the type does not matter.
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
      const { body } = request;
      return publish(request, reply, body, () => parseRawPublication(channel, type, body, maxBodyBytes));
    });
  });
}

/** Past Fastify's serializing and its hooks, in one write: head and text leave as one string. */
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

/** Why this request may not publish, whatever is in it; undefined when it may. */
function refusalOf({ headers }: FastifyRequest, access: Access): BrokerError | undefined {
  if (access.publish.length === 0)
    return new BrokerError('forbidden', 'The token does not grant publishing to any channel.');
  return compressedBody(headers);
}

function eventTypeOf(url: string, query: Record<string, string | string[]>): string | undefined {
  try {
    // The parser leaves as it is what it cannot decode.
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
