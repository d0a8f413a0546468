import { BrokerError } from '../events/errors.ts';
import type { BrokerErrorCode } from '../events/errors.ts';
import type { StreamRefusal } from '../events/close-reason.ts';

/** The problem for each reason. */
const PROBLEMS: Readonly<Record<StreamRefusal, readonly [BrokerErrorCode, string]>> = {
  draining: ['draining', 'This replica is shutting down.'],
  limit: ['connections-full', 'As many streams are open as SLUICE_MAX_CONNECTIONS allows.'],
  'ip-limit': [
    'too-many-requests',
    'This address has as many open streams as SLUICE_MAX_CONNECTIONS_PER_IP allows.',
  ],
  'subject-limit': [
    'too-many-requests',
    "The token's subject has as many open streams as SLUICE_MAX_CONNECTIONS_PER_SUBJECT allows.",
  ],
  'failed-authentication': ['too-many-requests', 'This address has sent too many wrong credentials.'],
  keys: ['keys-unavailable', 'The broker cannot fetch the key set now.'],
};

/**
 * The answer to a client that reads the status, where an EventSource gets `sluice:closing`.
 * @param retry in ms
 */
export function refusalProblem(reason: StreamRefusal, retry: number): BrokerError {
  const [code, detail] = PROBLEMS[reason];
  return new BrokerError(code, detail, { retryAfter: Math.ceil(retry / 1_000) });
}

/** Returns why the broker cannot check the credential now, if the reason is temporary. */
export function temporaryReason(error: unknown): StreamRefusal | undefined {
  if (!(error instanceof BrokerError)) return undefined;
  if (error.code === 'keys-unavailable') return 'keys';
  return error.code === 'too-many-requests' ? 'failed-authentication' : undefined;
}
