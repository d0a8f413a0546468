import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { CliError } from './cli-error.ts';
import type { CliContext } from './context.ts';

const DEFAULT_URL = 'http://127.0.0.1:3000';
/** `sluice serve` writes it when it has made a key for its run. */
const KEY_FILE = '.publish-key';
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** A publish key or a token. Never print the secret. */
export interface Credential {
  readonly secret: string;
  /** Where the user has set it, such as `SLUICE_KEY`. For messages. */
  readonly source: string;
}

/** Where the broker is, and with what to go there. */
export interface BrokerAccess {
  /** Without a slash at its end. */
  readonly url: string;
  /** Publishes, looks in and makes tokens: a publish key, or else a token. */
  readonly publisher: Credential | undefined;
  /** Subscribes and reads. Publish keys do not subscribe. */
  readonly subscriber: Credential | undefined;
}

/** The options of {@link withAccessOptions}. */
export interface AccessOptions {
  readonly url?: string;
  readonly key?: string;
  readonly keyFile?: string;
  readonly token?: string;
}

/**
 * Adds `--url` and `--token`, and for a publisher `--key` and `--key-file`. A command that looks in or changes something is
 * a publisher, too.
 */
export function withAccessOptions(command: Command, who: 'publisher' | 'subscriber'): Command {
  command.optionsGroup('Broker:').option('--url <url>', `the broker (SLUICE_URL; ${DEFAULT_URL})`);
  if (who === 'publisher')
    command
      .option('--key <key>', 'publish key (SLUICE_KEY is better: other users of this machine see arguments)')
      .option('--key-file <file>', `file with the publish key (${KEY_FILE} for a broker on this machine)`)
      .option('--token <token>', 'token, instead of a publish key (SLUICE_TOKEN)');
  else command.option('--token <token>', 'token, for channels that are not public (SLUICE_TOKEN)');
  // The help option comes last and is no option of the broker.
  return command.optionsGroup('Options:');
}

/**
 * Options come before variables, and variables before the key file of this folder.
 * @throws CliError for an address that is no http or https URL, and for a key file that cannot be read
 */
export function brokerAccess(options: AccessOptions, { env }: Pick<CliContext, 'env'>): BrokerAccess {
  const url = brokerUrl(options.url || env['SLUICE_URL'] || DEFAULT_URL);
  const tokenOption = credential(options.token, '--token');
  const tokenVariable = credential(env['SLUICE_TOKEN'], 'SLUICE_TOKEN');
  return {
    url: url.href.replace(/\/$/, ''),
    publisher:
      credential(options.key, '--key') ??
      keyOfFile(options.keyFile) ??
      tokenOption ??
      credential(env['SLUICE_KEY'], 'SLUICE_KEY') ??
      keyOfFolder(url) ??
      tokenVariable,
    subscriber: tokenOption ?? tokenVariable,
  };
}

function brokerUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw new CliError(
      `"${text.replace(/[^/@]*@/, '…@')}" is not the URL of a broker. Write it like ${DEFAULT_URL} (--url, SLUICE_URL).`,
      2,
    );
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new CliError(
      'The URL of a broker has no user, password, query or fragment (--url, SLUICE_URL).',
      2,
    );
  return url;
}

function credential(text: string | undefined, source: string): Credential | undefined {
  const secret = text?.trim();
  if (secret === undefined || secret === '') return undefined;
  // Node refuses such a header, and its message holds the secret.
  if (!/^[\x21-\x7e]+$/.test(secret))
    throw new CliError(
      `The credential of ${source} has a space or another character that no credential has.`,
      2,
    );
  return { secret, source };
}

function keyOfFile(file: string | undefined): Credential | undefined {
  if (file === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError(`Cannot read the file of --key-file: ${(error as Error).message}.`, 2);
  }
  const key = credential(text, '--key-file');
  if (key === undefined) throw new CliError(`The file ${file} of --key-file is empty.`, 2);
  return key;
}

/** The key that a broker has written in this folder. It is sent to a broker on this machine only. */
function keyOfFolder({ hostname }: URL): Credential | undefined {
  if (!LOOPBACK.test(hostname)) return undefined;
  try {
    return credential(readFileSync(KEY_FILE, 'utf8'), `the file ${KEY_FILE}`);
  } catch {
    return undefined;
  }
}
