import { LOG_TROUBLES } from '../events/log-trouble.ts';
import type { LogHealth } from '../log/event-log.ts';
import type { LogTrouble } from '../events/log-trouble.ts';

const WORDS: ReadonlySet<string> = new Set(LOG_TROUBLES);
const FIRST_WORD = /^-?([A-Z]{2,20})(?: |$)/;
/** Matches ioredis' errors for a command that has no connection or has lost its connection. */
const NO_CONNECTION =
  /^Reached the max retries|closed|connect|unreachable|ECONN|EPIPE|isn't writeable|isn't ready|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH/;
/** The error of a missing right inside a script. It begins with NOPERM only since Redis 7.2. */
const NO_RIGHT = /^ERR (?=The user executing the script can't )/;
/** Finds the error of the last server that ioredis tried. */
const LAST = /Last error: (?:[A-Za-z]*Error: )?(.+)$/;
/** Ends the useful part of an error: before a script's digest, or before arguments, which may hold a password. */
const ASIDE = / script: [0-9a-f]{40}\b|,? with args beginning with|, on @user_script/;
const MAX_WORDS = 200;

/** Returns the trouble behind an error of Redis or ioredis: the first word of Redis' error, if it is a known one. */
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

/** Returns the error's message as one line without secrets. */
export function wordsOf({ message }: Pick<Error, 'message'>): string {
  const [line = ''] = message.split(/[\r\n]/, 1);
  const words = (line.replace(NO_RIGHT, 'NOPERM ').split(ASIDE, 1)[0] ?? '').trim();
  return words.length <= MAX_WORDS ? words : `${words.slice(0, MAX_WORDS - 1)}…`;
}

/** Whether the error says only that there is no connection, and not why. */
export function saysNothing({ message }: Pick<Error, 'message'>): boolean {
  return /isn't writeable|^Reached the max retries|^Connection is closed|^Command aborted|^All sentinels are unreachable[^:]*$/.test(
    message,
  );
}

/** Why a command failed. */
export interface Refusal {
  readonly reason: LogTrouble;
  /** A sentence for the client that sent the request. */
  readonly detail: string;
  /** Whether Redis gave no answer. Otherwise Redis refused the command. */
  readonly passes: boolean;
}

/** @param health says why there is no connection, or that only some nodes of a cluster are down */
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
