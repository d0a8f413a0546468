import { expect } from 'vitest';
import type { RawAnswer } from './raw-http.ts';

/** A problem document (RFC 9457), as the broker fills it in. */
export interface Problem {
  /** The last part of `type`, which identifies the problem. */
  readonly code: string;
  readonly detail: string;
  /** JSON pointers (RFC 6901), one for each fault in the body; empty when the fault is not in the body. */
  readonly pointers: readonly string[];
  /** The members that a body of many events has. */
  readonly members: { readonly published?: number; readonly tail?: string; readonly channel?: string };
}

const PREFIX = 'urn:sluice:problem:';

/** Checks that an answer is a whole problem document of this status, and returns its fields. */
export function readProblem(answer: RawAnswer, status: number): Problem {
  expect({ status: answer.status, type: answer.header('content-type') }).toEqual({
    status,
    type: 'application/problem+json',
  });
  const document = JSON.parse(answer.body) as Record<string, unknown>;
  const { type, title, status: inBody, detail, errors = [], ...members } = document;
  expect(inBody).toBe(status);
  expect(['published', 'tail', 'channel']).toEqual(expect.arrayContaining(Object.keys(members)));
  expect(type).toMatch(/^urn:sluice:problem:[a-z-]+$/);
  expect(title).toMatch(/^[A-Z]/);
  expect(detail).toMatch(/^.{10,}[^ ]$/s);
  const pointers = (errors as { pointer: unknown; detail: unknown }[]).map((fault) => {
    expect(Object.keys(fault)).toEqual(['pointer', 'detail']);
    expect(fault.detail).toMatch(/./);
    return String(fault.pointer);
  });
  return { code: String(type).slice(PREFIX.length), detail: String(detail), pointers, members };
}
