import { LOG_TROUBLES } from '../../core/log-trouble.ts';
import type { LogHealth } from '../../core/event-log.ts';
import type { LogTrouble } from '../../core/log-trouble.ts';

const WORDS: ReadonlySet<string> = new Set(LOG_TROUBLES);
const FIRST_WORD = /^-?([A-Z]{2,20})(?: |$)/;
/** What ioredis says when it has no connection to give a command to, or has lost the one that had it. */
const NO_CONNECTION =
  /closed|connect|unreachable|ECONN|EPIPE|isn't writeable|isn't ready|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH/;
/** A right that is missing inside a script is told in other words, and has NOPERM as its first one from Redis 7.2 on only. */
const NO_RIGHT = /^ERR (?=The user executing the script can't )/;
/** What ioredis puts around the error of the last server that it has tried. */
const LAST = /Last error: (?:[A-Za-z]*Error: )?(.+)$/;
/** Where the words that matter end: a script's digest, or arguments, among which may be a password. */
const ASIDE = / script: [0-9a-f]{40}\b|,? with args beginning with|, on @user_script/;
const MAX_WORDS = 200;

/**
 * What an error of Redis or of ioredis means, in one word: the first of Redis' own words where that is one of the known
 * ones.
 */
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

/** What it says, in one line that may be shown to anybody who looks in. */
export function wordsOf({ message }: Pick<Error, 'message'>): string {
  const [line = ''] = message.split(/[\r\n]/, 1);
  const words = (line.replace(NO_RIGHT, 'NOPERM ').split(ASIDE, 1)[0] ?? '').trim();
  return words.length <= MAX_WORDS ? words : `${words.slice(0, MAX_WORDS - 1)}…`;
}

/** That there is no connection, and nothing about why. */
export function saysNothing({ message }: Pick<Error, 'message'>): boolean {
  return /isn't writeable|^Connection is closed|^Command aborted|^All sentinels are unreachable[^:]*$/.test(
    message,
  );
}

/** Why a command was not carried out. */
export interface Refusal {
  readonly reason: LogTrouble;
  /** A sentence for whoever asked for it. */
  readonly detail: string;
  /** Whether this is no refusal of Redis, but the lack of an answer. */
  readonly passes: boolean;
}

/** `health` is what is known of Redis besides: why there is no connection, or that there is one to other nodes. */
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
