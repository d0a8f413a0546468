/**
 * Why a stream or a long poll ended; also the label of a metric.
 * - `client`: the client or the network closed the connection
 * - `ended`: the channel has ended, or each of its channels
 * - `drained`: this replica is shutting down
 * - `stalled`: the socket took nothing for SLUICE_STALL_TIMEOUT
 * - `aged`: it reached SLUICE_MAX_CONNECTION_AGE
 * - `expired`: the token that opened it has expired
 * - `disconnected`: a backend asked for it, or revoked the token that opened it
 * - `gap`: events may be missing, and a plain stream cannot say so
 * - `answered`: a long poll got its answer, or a stream with `?wait` its news or its deadline
 */
export type CloseReason = 'client' | 'stalled' | 'ended' | 'gap' | 'answered' | EndReason;

/** Why the broker ends a stream that may come back. The broker writes the reason into the stream as `sluice:closing`. */
export type EndReason = 'drained' | 'aged' | 'expired' | 'disconnected';

/**
 * Why the broker cannot serve a new stream now. It answers with 200 and a `sluice:closing` that says when to come back.
 * - `draining`: this replica is shutting down
 * - `limit`: SLUICE_MAX_CONNECTIONS are open
 * - `ip-limit`, `subject-limit`: the address, or the token's subject, has reached its limit of streams
 * - `failed-authentication`: the address has sent too many wrong credentials
 * - `keys`: the token's key is not known and cannot be fetched now
 */
export const STREAM_REFUSALS = [
  'draining',
  'limit',
  'ip-limit',
  'subject-limit',
  'failed-authentication',
  'keys',
] as const;
export type StreamRefusal = (typeof STREAM_REFUSALS)[number];

/** The reasons in `sluice:closing` (docs/protocol.md §5). */
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
