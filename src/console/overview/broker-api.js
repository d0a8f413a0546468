import { brokerUrl } from '../broker-url.js';
import { isCredential } from '../header-fault.js';
import { record, text } from '../json-value.js';

/** How long an answer may take, in ms. */
const PATIENCE_MS = 15_000;
/** The longest wait that an answer may ask for, in ms. */
const MAX_WAIT_MS = 60_000;

/** Says in words why there is nothing to show. */
export class BrokerFault extends Error {
  /** Whether the key is to blame: asking again with the same key does not help. */
  blamesKey = false;
  /** How long the broker asks to wait before the next request, in ms. */
  waitMs = 0;
}

/**
 * Reads a JSON object of the broker.
 *
 * @param {string} path relative to the page, with its query
 * @param {string} key a publish key, or a token
 * @param {AbortSignal} signal
 * @returns {Promise<Record<string, unknown>>}
 * @throws {BrokerFault} Also when `signal` aborts.
 */
export async function askBroker(path, key, signal) {
  if (!isCredential(key)) {
    const fault = new BrokerFault(
      'The key was not sent: a key or a token has visible ASCII characters only, and no blanks.',
    );
    fault.blamesKey = true;
    throw fault;
  }
  const patience = AbortSignal.timeout(PATIENCE_MS);
  try {
    const response = await fetch(brokerUrl(path), {
      headers: { authorization: `Bearer ${key}` },
      cache: 'no-store',
      signal: AbortSignal.any([signal, patience]),
    });
    // A proxy may answer with a page, also with the status 200.
    const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '');
    /** @type {unknown} */
    const body = isJson ? await response.json() : undefined;
    if (response.ok && isJson) return record(body);
    throw isJson ? refusal(response, record(body)) : strangeAnswer(response);
  } catch (error) {
    if (error instanceof BrokerFault) throw error;
    if (patience.aborted)
      throw new BrokerFault(`The broker has not answered for ${PATIENCE_MS / 1_000} s.`, { cause: error });
    throw new BrokerFault(
      'The broker cannot be reached: the network or the broker is down, or the answer was cut off.',
      { cause: error },
    );
  }
}

/**
 * @param {Response} response
 * @param {Record<string, unknown>} problem
 */
function refusal(response, problem) {
  const { status } = response;
  const detail = text(problem['detail']) || text(problem['title']) || response.statusText;
  const fault = new BrokerFault(`${refusalText(status)} ${detail}`);
  fault.blamesKey = status === 401 || status === 403;
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  if (seconds > 0) fault.waitMs = Math.min(seconds * 1_000, MAX_WAIT_MS);
  return fault;
}

/** @param {number} status */
function refusalText(status) {
  switch (status) {
    case 401:
      return 'The broker does not accept this key or token.';
    case 403:
      return 'This token is valid, but it may not read the overview.';
    case 429:
      return 'The broker refuses requests from this address for a while.';
    case 503:
      return 'The broker cannot answer this now.';
    default:
      return `The broker answered with ${status}.`;
  }
}

/** @param {Response} response */
function strangeAnswer({ status, statusText }) {
  return new BrokerFault(
    `The answer (${`${status} ${statusText}`.trim()}) is not from Sluice: it is not JSON. A proxy between this page and the broker may be in the way.`,
  );
}
