/**
 * Why a log cannot be used now; also the label of a metric and a word of problem documents. Those in capitals are the
 * first word of what Redis answers with (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors).
 * - `unreachable`: there is no connection
 * - `timeout`: no answer came in time
 * - `announcements`: it answers, but what is announced does not arrive
 * - `version`: it holds events in a form that a newer release of the broker has written
 * - `other`: what none of these words stands for
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
