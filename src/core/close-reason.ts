/**
 * Why a stream ended; also the label of a metric.
 * - `client`: the other side closed, or the network did
 * - `drained`: this replica is shutting down
 * - `stalled`: its socket took nothing for too long
 * - `aged`: it reached the age at which connections are asked to spread anew
 * - `disconnected`: a backend asked for its end, or the token that it was opened with was revoked
 */
export type CloseReason = 'client' | 'drained' | 'stalled' | 'aged' | 'disconnected';

/**
 * Why a new stream is not served now; it is answered with 200 and asked to come back later.
 * - `draining`: this replica is shutting down
 * - `limit`: SLUICE_MAX_CONNECTIONS are open
 */
export type RefuseReason = 'draining' | 'limit';
