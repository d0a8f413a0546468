import { LOG_TROUBLES } from '../events/log-trouble.ts';
import type { LogHealth } from '../log/event-log.ts';
import type { LogTrouble } from '../events/log-trouble.ts';

const WORDS: ReadonlySet<string> = new Set(LOG_TROUBLES);
const FIRST_WORD = /^-?([A-Z]{2,20})(?: |$)/;
/** Words of ioredis for a command without a connection, or whose connection was lost before the answer. */
const NO_CONNECTION =
  /^Reached the max retries|closed|connect|unreachable|ECONN|EPIPE|isn't writeable|isn't ready|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH/;
/** The error of a right that is missing inside a script. Begins with NOPERM from Redis 7.2 on only. */
const NO_RIGHT = /^ERR (?=The user executing the script can't )/;
/** How ioredis reports the error of the last server that it has tried. */
const LAST = /Last error: (?:[A-Za-z]*Error: )?(.+)$/;
/** Where the useful words end: before a script's digest, or before arguments, which may hold a password. */
const ASIDE = / script: [0-9a-f]{40}\b|,? with args beginning with|, on @user_script/;
const MAX_WORDS = 200;

/** What an error of Redis or of ioredis means, in one word: the first word of Redis when it is a known one. */
export function troubleOf({ message }: Pick<Error, 'message'>): LogTrouble {
  const word = FIRST_WORD.exec(message)?.[1];
  if (word !== undefined && WORDS.has(word)) return word as LogTrouble;
  if (NO_RIGHT.test(message)) return 'NOPERM';
  const last = LAST.exec(message)?.[1];
  if (last !== undefined) return troubleOf({ message: last });
  if (message === 'Command timed out' || /ETIMEDOUT|^Socket timeout/.test(message)) return 'timeout';
  if (word === undefined && NO_CONNECTION.test(message)) return 'unreachable';
  return 'other';
}

/** The text of an error in one line, without anything that is secret. */
export function wordsOf({ message }: Pick<Error, 'message'>): string {
  const [line = ''] = message.split(/[\r\n]/, 1);
  const words = (line.replace(NO_RIGHT, 'NOPERM ').split(ASIDE, 1)[0] ?? '').trim();
  return words.length <= MAX_WORDS ? words : `${words.slice(0, MAX_WORDS - 1)}…`;
}

/** Whether the error tells only that there is no connection, and not why. */
export function saysNothing({ message }: Pick<Error, 'message'>): boolean {
  return /isn't writeable|^Reached the max retries|^Connection is closed|^Command aborted|^All sentinels are unreachable[^:]*$/.test(
    message,
  );
}

/** Why a command was not carried out. */
export interface Refusal {
  readonly reason: LogTrouble;
  /** A sentence for whoever sent the request. */
  readonly detail: string;
  /** Whether Redis has not answered at all, rather than refused. */
  readonly passes: boolean;
}

/** `health` tells why there is no connection, or that other nodes have one. */
export function refusalOf(error: Error, health: LogHealth): Refusal {
  const own = troubleOf(error);
  const reason = own === 'unreachable' && !health.up && health.reason !== '' ? health.reason : own;
  const passes = own === 'unreachable' || own === 'timeout';
  return { reason, detail: sentenceOf(reason, health), passes };
}

function sentenceOf(reason: LogTrouble, { up, slotsDown }: LogHealth): string {
  switch (reason) {
    case 'OOM':
      return 'Redis has reached its maxmemory and evicts nothing (OOM).';
    case 'timeout':
      return 'Redis did not answer in time.';
    case 'announcements':
      return 'The connection to Redis is being made anew.';
    case 'unreachable':
      return up && slotsDown > 0
        ? `The node of the Redis Cluster that has this channel is away, with ${slotsDown} slots.`
        : 'Redis cannot be reached.';
    case 'other':
      return 'Redis refuses, or cannot be reached.';
    default:
      return `Redis refuses (${reason}).`;
  }
}
