/**
 * Why a log cannot be used now; also the label of a metric and a word of problem documents. A word in capitals is the
 * first word of Redis' answer (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors).
 * - `unreachable`: there is no connection
 * - `timeout`: no answer came in time
 * - `announcements`: the log answers, but its announcements do not arrive
 * - `disk`: the disk or the files of the log on disk fail, or cannot keep up
 * - `version`: an event of the log has the form of a newer release of the broker
 * - `other`: any other reason
 */
export const LOG_TROUBLES = [
  'unreachable',
  'timeout',
  'announcements',
  'disk',
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
