import type { z } from 'zod';
import { parseChannelName } from '../events/channel-name.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';
import type { BodyFault } from '../events/errors.ts';

/** How many faults one answer lists. */
export const MAX_FAULTS = 20;
/** How many characters of a field name an answer quotes. */
const MAX_QUOTED = 100;

/**
 * Checks a body against a schema and returns the result.
 * @param what names the body in messages, such as `a publication`
 * @param others faults that a schema cannot find; they are listed first
 * @param more how many faults were counted but not kept in `value`
 * @throws BrokerError `invalid-body` with a pointer to each fault
 */
export function checked<S extends z.ZodType>(
  schema: S,
  value: unknown,
  what: string,
  more = 0,
  others: readonly BodyFault[] = [],
): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success && others.length === 0) return result.data;
  const issues = result.error?.issues ?? [];
  throw invalidBody([...others, ...issues.flatMap((issue) => faultsOf(issue, what))], more);
}

/** @throws BrokerError `invalid-channel` with a pointer */
export function channelOf(name: string, pointer = '/channel'): ChannelName {
  try {
    return parseChannelName(name);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    throw new BrokerError(error.code, error.message, { faults: [{ pointer, detail: error.message }] });
  }
}

/**
 * Lists up to MAX_FAULTS faults. Says how many others there are, with the `more` that were not kept.
 * @param more Infinity when the rest of the body was not read
 */
export function invalidBody(faults: readonly BodyFault[], more = 0): BrokerError {
  const [first] = faults;
  const where = first === undefined || first.pointer === '' ? 'The body' : first.pointer.slice(1);
  const unlisted = Math.max(0, faults.length - MAX_FAULTS) + more;
  const count = unlisted === Infinity ? 'there may be more' : `there are ${unlisted} more`;
  const others = unlisted === 0 ? '' : `; the first ${MAX_FAULTS} faults are listed, and ${count}`;
  return new BrokerError('invalid-body', `${where} ${first?.detail ?? 'is not valid'}${others}.`, {
    faults: faults.slice(0, MAX_FAULTS),
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

/** RFC 6901 §3. Shortens very long names. */
function pointerTo(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${escaped(String(part))}`).join('');
}

function escaped(part: string): string {
  const short = part.length > MAX_QUOTED ? `${part.slice(0, MAX_QUOTED).toWellFormed()}…` : part;
  return short.replaceAll('~', '~0').replaceAll('/', '~1');
}
