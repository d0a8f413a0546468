import { pino, stdSerializers } from 'pino';
import type { DestinationStream, Level, Logger } from 'pino';

/** The value of `token=` in a URL, up to where it ends there or in JSON; or what looks like a token, wherever it is. */
const TOKEN = /((?:^|[?&])token=)[^&#\s"'\\]+|eyJ[\w-]+\.[\w-]*\.[\w-]*/gi;

/** JSON lines, without credentials, whatever part of the process has something to say. */
export function brokerLogger(level: Level | 'silent', destination: DestinationStream): Logger {
  return pino(
    {
      level,
      serializers: { req: request, err: error },
      // Also in messages that we do not write: Fastify's, which quote the URL.
      hooks: { streamWrite: (line) => line.replaceAll(TOKEN, '$1[redacted]') },
    },
    destination,
  );
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
