import type { BrokerAccess } from './broker-access.ts';
import { connectionError, refusal, strangeAnswer } from './broker-errors.ts';
import type { CliError } from './cli-error.ts';

/** What a subscriber's requests run into. */
interface FetchListener {
  /** A failure that trying again does not mend. */
  readonly onRefused: (error: CliError) => void;
  /** A failure after which the client tries again. */
  readonly onTrouble: (error: CliError) => void;
}

/** The client ends a request that is silent for 8 s. */
const SILENT_MS = 7_000;
/** Refusals that pass by themselves. */
const PASSING = new Set([408, 425, 429]);
const MAX_PROBLEM_CHARACTERS = 64 * 1_024;

/**
 * The `fetch` of the client. The client tries again after almost every failure, as a page has to. Somebody at a terminal
 * wants to know what is wrong, and a wrong address has to end the command.
 */
export function watchedFetch({ url, subscriber }: BrokerAccess, listener: FetchListener): typeof fetch {
  /** Whether the broker has ever served this command. */
  let served = false;
  const fail = (error: CliError): void => (served ? listener.onTrouble(error) : listener.onRefused(error));
  return async (input, init) => {
    const begin = performance.now();
    let response: Response;
    try {
      // Redirects are not followed, because credentials would go along.
      response = await fetch(input, { ...init, redirect: 'manual' });
    } catch (error) {
      const { cause = error } = error as Error;
      if (init?.signal?.aborted !== true) fail(connectionError(url, cause as NodeJS.ErrnoException));
      else if (performance.now() - begin > SILENT_MS)
        listener.onTrouble(
          connectionError(url, Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })),
        );
      throw error;
    }
    const { status, headers } = response;
    const header = (name: string): string | undefined => headers.get(name) ?? undefined;
    const type = header('content-type') ?? '';
    if (status === 204 || (status === 200 && type.startsWith('text/event-stream'))) served = true;
    else if (!type.startsWith('application/problem+json')) fail(strangeAnswer(url, { status, header }));
    else {
      const problem = problemOf(await response.clone().text());
      const error = refusal({ status, header, problem, credential: subscriber, as: 'subscriber' });
      if (status >= 500 || PASSING.has(status)) listener.onTrouble(error);
      else listener.onRefused(error);
    }
    return response;
  };
}

function problemOf(text: string): unknown {
  try {
    return JSON.parse(text.slice(0, MAX_PROBLEM_CHARACTERS));
  } catch {
    return undefined;
  }
}
