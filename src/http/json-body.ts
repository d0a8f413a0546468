import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import { parseChannelName } from '../core/channel-name.ts';
import type { ChannelName } from '../core/channel-name.ts';
import { BrokerError } from '../core/errors.ts';
import type { BodyFault } from '../core/errors.ts';

/** Deeper nesting than anybody means; keeps recursion away from the end of the stack. */
const MAX_DEPTH = 200;

/** The routes take `application/json` and nothing else, and are given its bytes: how they are read is theirs to say. */
export function takeJsonBytes(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
}

/** @throws BrokerError `invalid-body` for what is not UTF-8 */
export function decodeUtf8(body: Buffer): string {
  const text = body.toString('utf8');
  // Decoding replaces what is not UTF-8; then the bytes are no longer those that came.
  if (text.includes('\ufffd') && !Buffer.from(text, 'utf8').equals(body)) {
    throw invalidBody([{ pointer: '', detail: 'is not valid UTF-8' }]);
  }
  return text;
}

/**
 * @param deepest pointer to the field that takes any JSON, if there is one
 * @throws BrokerError `invalid-body`
 */
export function parseJson(text: string, deepest = ''): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (isTooDeep(value))
      throw invalidBody([{ pointer: deepest, detail: `is nested deeper than ${MAX_DEPTH} levels` }]);
    return value;
  } catch (error) {
    if (error instanceof BrokerError) throw error;
    throw invalidBody([{ pointer: '', detail: 'is not valid JSON' }]);
  }
}

/**
 * What a schema has made of a body; `what` is what the body is, such as `a publication`.
 * @throws BrokerError `invalid-body` with a pointer to each fault
 */
export function checked<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalidBody(result.error.issues.flatMap((issue) => faultsOf(issue, what)));
}

/** @throws BrokerError `invalid-channel` with a pointer */
export function channelOf(name: string): ChannelName {
  try {
    return parseChannelName(name);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    throw new BrokerError(error.code, error.message, {
      faults: [{ pointer: '/channel', detail: error.message }],
    });
  }
}

export function invalidBody(faults: readonly BodyFault[]): BrokerError {
  const [first] = faults;
  const where = first === undefined || first.pointer === '' ? 'The body' : first.pointer.slice(1);
  return new BrokerError('invalid-body', `${where} ${first?.detail ?? 'is not valid'}.`, {
    faults,
  });
}

function faultsOf(issue: z.core.$ZodIssue, what: string): readonly BodyFault[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      pointer: pointerTo([key]),
      detail: `is not a field of ${what}`,
    }));
  }
  return [{ pointer: pointerTo(issue.path), detail: issue.message }];
}

/** RFC 6901 §3. */
function pointerTo(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function isTooDeep(value: unknown, depth = 0): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth > MAX_DEPTH || Object.values(value).some((child) => isTooDeep(child, depth + 1));
}
