import type { z } from 'zod';
import { BrokerError } from '../core/errors.ts';
import type { BodyFault } from '../core/errors.ts';

/** Deeper nesting than anybody means; keeps recursion away from the end of the stack. */
const MAX_DEPTH = 200;

/** @throws BrokerError `invalid-body` */
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

/** What is wrong with a body, in the words of its schema. `what` is the body's name, as in "a publication". */
export function invalidFields(error: z.ZodError, what: string): BrokerError {
  return invalidBody(error.issues.flatMap((issue) => faultsOf(issue, what)));
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
