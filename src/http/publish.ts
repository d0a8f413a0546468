import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { PublishKeys } from '../auth/publish-keys.ts';
import { parseChannelName } from '../core/channel-name.ts';
import { BrokerError } from '../core/errors.ts';
import type { Hub } from '../core/hub.ts';
import { invalidBody, takeJsonBytes } from './json-body.ts';
import type { Publication } from './publication.ts';
import { parsePublication, parseRawPublication } from './publication.ts';
import { requirePublishKey } from './publish-key-check.ts';

export interface PublishOptions {
  readonly hub: Pick<Hub, 'publish'>;
  readonly keys: Pick<PublishKeys, 'accepts'>;
}

/** 1 to 200 visible ASCII characters, RFC 5234 `VCHAR`. */
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,200}$/;

/** `POST /publish` and `POST /publish/:channel` (docs/protocol.md §2). */
export async function publishRoutes(app: FastifyInstance, { hub, keys }: PublishOptions): Promise<void> {
  requirePublishKey(app, keys);

  const publish = async (
    request: FastifyRequest,
    reply: FastifyReply,
    publication: Publication,
  ): Promise<FastifyReply> => {
    const idempotencyKey = idempotencyKeyOf(request);
    const { id, replayed } = await hub.publish(publication.channel, publication.event, {
      idempotencyKey,
    });
    if (replayed) reply.header('idempotent-replayed', 'true');
    // Neither a channel name nor an id has a character that JSON escapes, or that takes more than a byte.
    return answer(reply, `{"channel":"${publication.channel}","id":"${id}"}`);
  };

  await app.register(async (json) => {
    takeJsonBytes(json);
    json.post<{ Body: Buffer | undefined }>('/publish', (request, reply) => {
      if (request.body === undefined || request.body.length === 0) {
        const detail = 'is empty; send {"channel":"news","data":"hello"}';
        throw invalidBody([{ pointer: '', detail }]);
      }
      return publish(request, reply, parsePublication(request.body));
    });
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
    }>('/publish/:channel', (request, reply) => {
      const channel = parseChannelName(request.params.channel);
      return publish(
        request,
        reply,
        parseRawPublication(channel, eventTypeOf(request.url, request.query), request.body),
      );
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
  raw.writeHead(200, { 'content-type': 'application/json', 'content-length': json.length });
  raw.end(json);
  return reply;
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
