/**
 * Why a log cannot be used now. Also a label of a metric, and a word in problem documents. A reason in capitals is the first
 * word of an error of Redis (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors).
 * - `unreachable`: there is no connection
 * - `timeout`: no answer came in time
 * - `announcements`: the log answers, but announcements do not arrive
 * - `version`: the log holds records of a version that only a newer release of the broker knows
 * - `other`: any other reason
 */
export const LOG_TROUBLES = [
  'unreachable',
  'timeout',
  'announcements',
  'version',
  'READONLY',
  'MISCONF',
  'NOREPLICAS',
  'NOAUTH',
  'WRONGPASS',
  'NOPERM',
  'OOM',
  'WRONGTYPE',
  'LOADING',
  'BUSY',
  'CLUSTERDOWN',
  'MASTERDOWN',
  'other',
] as const;
export type LogTrouble = (typeof LOG_TROUBLES)[number];
