/**
 * Why a stream ended; also the label of a metric.
 * - `client`: the other side closed, or the network did
 * - `drained`: this replica is shutting down
 * - `stalled`: its socket took nothing for too long
 * - `aged`: it reached the age at which connections are asked to spread anew
 * - `expired`: the token that opened it has expired
 * - `disconnected`: a backend asked for its end, or the token that it was opened with was revoked
 */
export type CloseReason = 'client' | 'stalled' | EndReason;

/** Those for which the broker ends a stream that may come back, and says so in it. */
export type EndReason = 'drained' | 'aged' | 'expired' | 'disconnected';

/**
 * Why a new stream is not served now; it is answered with 200 and asked to come back later.
 * - `draining`: this replica is shutting down
 * - `limit`: SLUICE_MAX_CONNECTIONS are open
 * - `ip-limit`, `subject-limit`: this address, or this token's subject, has as many as it may
 * - `failed-authentication`: a wrong credential from an address that has sent too many
 * - `keys`: it came with a token whose key is not known, and cannot be fetched now
 */
export const REFUSE_REASONS = [
  'draining',
  'limit',
  'ip-limit',
  'subject-limit',
  'failed-authentication',
  'keys',
] as const;
export type RefuseReason = (typeof REFUSE_REASONS)[number];

/** What the reader of a stream is told in `sluice:closing` (docs/protocol.md §5). */
export const CLOSING_REASONS = [
  'draining',
  'age',
  'expired',
  'disconnected',
  'limit',
  'address-limit',
  'subject-limit',
  'failed-authentication',
  'keys',
] as const;
export type ClosingReason = (typeof CLOSING_REASONS)[number];
