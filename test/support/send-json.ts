import { expect } from 'vitest';
import type { Broker } from './broker.ts';

/** Sends a request with the broker's publish key. It has to succeed. Returns the answer, or undefined for a 204. */
export async function sendJson(
  { url, key }: Broker,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  expect(response.ok).toBe(true);
  return response.status === 204 ? undefined : await response.json();
}
