import { LOG_TROUBLES } from '../../core/log-trouble.ts';
import type { LogTrouble } from '../../core/log-trouble.ts';

const WORDS: ReadonlySet<string> = new Set(LOG_TROUBLES);
const FIRST_WORD = /^-?([A-Z]{2,20})(?: |$)/;

/**
 * What an error of Redis or of ioredis means, in one word. Inside a script Redis puts words of its own around the one
 * that counts, such as `ERR … script: …, on @user_script:3.` before version 7; from 7 on the word comes first.
 */
export function troubleOf({ message }: Pick<Error, 'message'>): LogTrouble {
  const word = FIRST_WORD.exec(message)?.[1];
  if (word !== undefined && WORDS.has(word)) return word as LogTrouble;
  if (message === 'Command timed out') return 'timeout';
  if (
    word === undefined &&
    /closed|connect|ECONN|Stream isn't writeable|ENOTFOUND|EHOSTUNREACH/.test(message)
  )
    return 'unreachable';
  return 'other';
}
