import { expect } from 'vitest';
import type { RawAnswer } from './raw-http.ts';

/** RFC 9457, as the broker fills it in. */
export interface Problem {
  /** The last part of `type`, which tells one problem from another. */
  readonly code: string;
  readonly detail: string;
  /** RFC 6901, one for each thing that is wrong with a body; empty where the body is not what is wrong. */
  readonly pointers: readonly string[];
}

const PREFIX = 'urn:sluice:problem:';

/** Checks that an answer is a whole problem document of this status, and gives what is particular in it. */
export function readProblem(answer: RawAnswer, status: number): Problem {
  expect({ status: answer.status, type: answer.header('content-type') }).toEqual({
    status,
    type: 'application/problem+json',
  });
  const document = JSON.parse(answer.body) as Record<string, unknown>;
  const { type, title, detail, errors = [], ...rest } = document;
  expect(rest).toEqual({ status });
  expect(type).toMatch(/^urn:sluice:problem:[a-z-]+$/);
  expect(title).toMatch(/^[A-Z]/);
  expect(detail).toMatch(/^.{10,}[^ ]$/s);
  const pointers = (errors as { pointer: unknown; detail: unknown }[]).map((fault) => {
    expect(Object.keys(fault)).toEqual(['pointer', 'detail']);
    expect(fault.detail).toMatch(/./);
    return String(fault.pointer);
  });
  return { code: String(type).slice(PREFIX.length), detail: String(detail), pointers };
}
