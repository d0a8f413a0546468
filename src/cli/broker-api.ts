import { readFileSync } from 'node:fs';
import { CliError } from './cli-error.ts';

/** Where the broker is, and with what to go there. */
export interface BrokerAccess {
  /** Without a slash at its end. */
  readonly url: string;
  readonly key: string | undefined;
  readonly token: string | undefined;
}

/** The options of every command that talks to a broker. */
export interface AccessOptions {
  readonly url?: string;
  readonly key?: string;
  readonly token?: string;
}

const DEFAULT_URL = 'http://127.0.0.1:3000';
/** `sluice serve` writes it when it has made a key for its run. */
const KEY_FILE = '.publish-key';

/**
 * Options first, then SLUICE_URL, SLUICE_KEY and SLUICE_TOKEN, then the key file of this folder.
 * @throws CliError for an address that is no http or https URL
 */
export function brokerAccess(options: AccessOptions, env: NodeJS.ProcessEnv): BrokerAccess {
  const text = options.url || env['SLUICE_URL'] || DEFAULT_URL;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw new CliError(`"${text}" is not the URL of a broker. Write it like ${DEFAULT_URL} (--url, SLUICE_URL).`, 2);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new CliError('The URL of a broker has no user, password, query or fragment (--url, SLUICE_URL).', 2);
  return {
    url: url.href.replace(/\/$/, ''),
    key: options.key || env['SLUICE_KEY'] || keyOfFolder(),
    token: options.token || env['SLUICE_TOKEN'],
  };
}

function keyOfFolder(): string | undefined {
  try {
    return readFileSync(KEY_FILE, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

/** A problem document of the broker (RFC 9457), or what came instead of one. */
export class RefusedError extends CliError {
  readonly status: number;
  /** The last part of the problem's type, such as `channel-ended`; undefined when the answer is not the broker's. */
  readonly code: string | undefined;
  readonly problem: Readonly<Record<string, unknown>>;

  constructor(message: string, status: number, problem: Readonly<Record<string, unknown>>) {
    super(message);
    this.status = status;
    this.problem = problem;
    const type = problem['type'];
    this.code = typeof type === 'string' ? type.split(':').at(-1) : undefined;
  }
}
