import { pino, stdSerializers } from 'pino';
import type { DestinationStream, Level, Logger } from 'pino';

/** The value of `token=` in a URL. It ends at the end of the parameter or of the JSON text. */
const PARAMETER = /((?:^|[?&])token=)[^&#\s"'\\]+/gi;
/** A word of the characters that a token has. A regex for the token itself would start again at each `eyJ`: O(n²). */
const WORD = /[\w.-]+/g;
const TOKEN_START = /eyJ/i;

/** Makes a logger that writes JSON lines and removes credentials from them. */
export function brokerLogger(level: Level | 'silent', destination: DestinationStream): Logger {
  return pino(
    {
      level,
      serializers: { req: request, err: error },
      // Works on the whole line, because messages of Fastify quote the URL.
      hooks: { streamWrite: withoutTokens },
    },
    destination,
  );
}

function withoutTokens(line: string): string {
  return line.replaceAll(PARAMETER, '$1[redacted]').replaceAll(WORD, withoutToken);
}

/** Replaces a token in the word: three parts, of which the first is a JSON object. */
function withoutToken(word: string): string {
  const start = word.search(TOKEN_START);
  if (start < 0) return word;
  const secondPart = word.indexOf('.', start + 4);
  return secondPart < 0 || !word.includes('.', secondPart + 1) ? word : `${word.slice(0, start)}[redacted]`;
}

/** Leaves out query and headers, because both can hold credentials. */
function request({ method, url }: { method?: string; url?: string }): object {
  return { method, path: url?.split('?', 1)[0] };
}

/** Leaves out other properties. Errors of ioredis hold the command with its arguments, such as a password or an event. */
function error(thrown: unknown): object {
  if (!(thrown instanceof Error)) return { message: String(thrown) };
  const { type, message, stack } = stdSerializers.err(thrown);
  const { code } = thrown as NodeJS.ErrnoException;
  return { type, message, stack, ...(typeof code === 'string' && { code }) };
}
