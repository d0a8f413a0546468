import { pino, stdSerializers } from 'pino';
import type { DestinationStream, Level, Logger } from 'pino';

/** The value of `token=` in a URL, up to where it ends there or in JSON. */
const PARAMETER = /((?:^|[?&])token=)[^&#\s"'\\]+/gi;
/** A whole word of what a token is made of. A search for the token itself would begin anew at each `eyJ` of a long word. */
const WORD = /[\w.-]+/g;
const BEGINNING = /eyJ/i;

/** JSON lines, without credentials, whatever part of the process has something to say. */
export function brokerLogger(level: Level | 'silent', destination: DestinationStream): Logger {
  return pino(
    {
      level,
      serializers: { req: request, err: error },
      // Also in messages that we do not write: Fastify's, which quote the URL.
      hooks: { streamWrite: withoutTokens },
    },
    destination,
  );
}

function withoutTokens(line: string): string {
  return line.replaceAll(PARAMETER, '$1[redacted]').replaceAll(WORD, withoutToken);
}

/** What looks like a token, wherever it is, is left out from where it begins: three parts, the first a JSON object. */
function withoutToken(word: string): string {
  const start = word.search(BEGINNING);
  if (start < 0) return word;
  const secondPart = word.indexOf('.', start + 4);
  return secondPart < 0 || !word.includes('.', secondPart + 1) ? word : `${word.slice(0, start)}[redacted]`;
}

/** Neither query nor headers: both can hold credentials. */
function request({ method, url }: { method?: string; url?: string }): object {
  return { method, path: url?.split('?', 1)[0] };
}

/** Of what errors carry besides, Redis' hold the command, with its arguments: a password, an event. */
function error(thrown: unknown): object {
  if (!(thrown instanceof Error)) return { message: String(thrown) };
  const { type, message, stack } = stdSerializers.err(thrown);
  const { code } = thrown as NodeJS.ErrnoException;
  return { type, message, stack, ...(typeof code === 'string' && { code }) };
}
