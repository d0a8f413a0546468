import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { TokenRequest } from '../../auth/token-issuer.ts';
import type { TokenKey } from '../../auth/token-keys.ts';
import { parseChannelPattern } from '../../events/channel-pattern.ts';
import type { ChannelPattern } from '../../events/channel-pattern.ts';
import { fieldsOf, textIn } from '../answer-fields.ts';
import { BrokerApi } from '../broker-api.ts';
import { brokerAccess, withAccessOptions } from '../broker-access.ts';
import type { AccessOptions } from '../broker-access.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { duration, repeated } from '../option-values.ts';
import { examples } from '../program.ts';
import { readableDuration, readableTime } from '../readable-values.ts';
import { printable } from '../terminal-text.ts';
import type { TokenReport } from '../token-report.ts';

const SECOND_MS = 1_000;
const MAX_TTL_MS = 30 * 24 * 3_600 * SECOND_MS;
const DEFAULT_TTL_MS = 3_600 * SECOND_MS;
/** From the input. A longer text is no token. */
const MAX_INPUT = 64 * 1_024;
/** In characters, as the broker counts them. */
const MAX_SUB = 200;

interface KeyOptions {
  readonly secretFile?: string;
  readonly issuer?: string;
  readonly audience?: string;
}

interface MintOptions extends AccessOptions, KeyOptions {
  readonly subscribe?: readonly string[];
  readonly publish?: readonly string[];
  readonly admin?: boolean;
  readonly sub?: string;
  /** In ms. */
  readonly ttl?: number;
  readonly json?: boolean;
}

interface InspectOptions extends KeyOptions {
  readonly publicKeyFile?: string;
  readonly json?: boolean;
}

/** `sluice token mint` and `sluice token inspect`. */
export function tokenCommand(context: CliContext): Command {
  return new Command('token')
    .summary('make a token, or see what a token allows')
    .description('Makes tokens for subscribers and publishers, and explains tokens.')
    .addCommand(mintCommand(context))
    .addCommand(inspectCommand(context));
}

function mintCommand(context: CliContext): Command {
  const command = new Command('mint')
    .summary('make a token')
    .description(
      'Makes a token and prints it. With a secret, from --secret-file or SLUICE_JWT_SECRET, it needs no broker. Without one, or with --url or a key as an option, the broker makes the token, for a publish key.',
    )
    .option('--subscribe <pattern>', 'a channel, a prefix with * at its end, or *; may be repeated', repeated)
    .option('--publish <pattern>', 'the same for publishing; may be repeated', repeated)
    .option('--admin', 'the token may look in: channels, subscribers, status')
    .option('--ttl <duration>', 'how long it is valid (1h; 30d at most)', duration(SECOND_MS, MAX_TTL_MS))
    .option('--sub <sub>', 'who the token is for')
    .option('--json', 'print {"token":…,"expires":…}');
  withKeyOptions(command).action((options: MintOptions) => mint(options, context));
  withAccessOptions(command, 'publisher');
  return examples(command, context, [
    ['for one subscriber, made by the broker', 'sluice token mint --subscribe "user.7.*" --sub user-7'],
    ['for a backend, without a broker', 'sluice token mint --publish "*" --ttl 30d --secret-file jwt.secret'],
    ['for this shell', 'export SLUICE_TOKEN=$(sluice token mint --subscribe "*")'],
  ]);
}

function inspectCommand(context: CliContext): Command {
  const command = new Command('inspect')
    .summary('explain a token')
    .description(
      'Says what a token allows, when it expires and what is wrong with it. The token is the argument, SLUICE_TOKEN, or else the input; it is not printed. With the key of the broker it also checks the signature. The exit code is 1 when a broker would refuse the token.',
    )
    .argument('[token]', 'the token; other users of this machine see arguments')
    .option('--json', 'print one JSON object')
    .option('--public-key-file <file>', 'file with the public key, as PEM (SLUICE_JWT_PUBLIC_KEY)');
  withKeyOptions(command).action((token: string | undefined, options: InspectOptions) =>
    inspect(token, options, context),
  );
  return examples(command, context, [
    ['the token of this shell', 'sluice token inspect'],
    ['with its signature', 'sluice token inspect --secret-file jwt.secret < token.txt'],
  ]);
}

function withKeyOptions(command: Command): Command {
  return command
    .option('--secret-file <file>', 'file with the secret of the broker (SLUICE_JWT_SECRET)')
    .option('--issuer <iss>', 'the claim iss (SLUICE_JWT_ISSUER)')
    .option('--audience <aud>', 'the claim aud (SLUICE_JWT_AUDIENCE)');
}

async function mint(options: MintOptions, context: CliContext): Promise<void> {
  const { stdout, env } = context;
  const request: TokenRequest = {
    subscribe: patternsOf('--subscribe', options.subscribe),
    publish: patternsOf('--publish', options.publish),
    admin: options.admin ?? false,
    ttl: Math.floor((options.ttl ?? DEFAULT_TTL_MS) / SECOND_MS),
    subject: options.sub,
  };
  const { sub } = options;
  if (sub !== undefined && (sub === '' || sub.length > MAX_SUB || printable(sub) !== sub))
    throw new CliError(`--sub takes 1 to ${MAX_SUB} characters, and no control characters.`, 2);
  if (!request.admin && request.subscribe.length + request.publish.length === 0)
    throw new CliError('The token would grant nothing. Add --subscribe, --publish or --admin.', 2);
  // A URL or a key on the command line says that the broker is meant, whatever the environment has.
  const local =
    options.secretFile !== undefined || (options.url ?? options.key ?? options.keyFile) === undefined;
  const secrets = local ? await secretsOf(options, env) : undefined;
  const answer =
    secrets === undefined
      ? await mintAtBroker(request, options, context)
      : await mintHere(request, secrets, options, env);
  await (options.json === true ? stdout.json(answer) : stdout.line(stdout.foreign(textIn(answer, 'token'))));
}

async function mintAtBroker(
  { subject: sub, ...request }: TokenRequest,
  access: AccessOptions,
  context: CliContext,
): Promise<Readonly<Record<string, unknown>>> {
  const api = new BrokerApi(brokerAccess(access, context), context.signal);
  const json = { ...request, sub };
  const answer = fieldsOf(await api.json({ method: 'POST', path: '/tokens', json, as: 'publisher' }));
  if (textIn(answer, 'token') === '') throw new CliError('The answer has no token: is this a broker?');
  return answer;
}

async function mintHere(
  request: TokenRequest,
  [secret = '']: readonly string[],
  options: KeyOptions,
  env: NodeJS.ProcessEnv,
): Promise<Readonly<Record<string, unknown>>> {
  const { TokenIssuer } = await import('../../auth/token-issuer.ts');
  return { ...(await new TokenIssuer({ secret, ...partiesOf(options, env) }).issue(request)) };
}

function patternsOf(option: string, texts: readonly string[] = []): readonly ChannelPattern[] {
  return texts.map((text) => {
    const pattern = parseChannelPattern(text);
    if (pattern !== undefined) return pattern;
    throw new CliError(
      `${option} takes a channel name, a prefix followed by *, or *; not "${printable(text.slice(0, 200))}".`,
      2,
    );
  });
}

function partiesOf(
  { issuer, audience }: KeyOptions,
  env: NodeJS.ProcessEnv,
): { readonly issuer: string | undefined; readonly audience: string | undefined } {
  return {
    issuer: issuer || env['SLUICE_JWT_ISSUER'] || undefined,
    audience: audience || env['SLUICE_JWT_AUDIENCE'] || undefined,
  };
}

/** The secrets of `--secret-file`, else of the setting. Undefined without either. */
async function secretsOf(
  { secretFile }: KeyOptions,
  env: NodeJS.ProcessEnv,
): Promise<readonly string[] | undefined> {
  const text = await keyText('SLUICE_JWT_SECRET', '--secret-file', secretFile, env);
  if (text === undefined) return undefined;
  const { jwtSecrets } = await import('../../config/key-values.ts');
  const { data, error } = jwtSecrets.safeParse(text);
  if (data === undefined)
    throw new CliError(`The secret is not one: expected ${error?.issues[0]?.message}.`, 2);
  return data;
}

async function publicKeyOf(file: string | undefined, env: NodeJS.ProcessEnv): Promise<TokenKey | undefined> {
  const text = await keyText('SLUICE_JWT_PUBLIC_KEY', '--public-key-file', file, env);
  if (text === undefined) return undefined;
  const { publicKeyPem } = await import('../../config/key-values.ts');
  const { data, error } = publicKeyPem.safeParse(text);
  if (data === undefined)
    throw new CliError(`The public key is not one: expected ${error?.issues[0]?.message}.`, 2);
  const { pemKey } = await import('../../auth/token-keys.ts');
  return pemKey(data);
}

async function keyText(
  setting: string,
  option: string,
  file: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  if (file !== undefined) {
    try {
      return readFileSync(file, 'utf8').trim();
    } catch (error) {
      throw new CliError(`Cannot read the file of ${option}: ${(error as Error).message}.`, 2);
    }
  }
  const { rawValue } = await import('../../config/raw-values.ts');
  const problems: string[] = [];
  const value = rawValue(setting, { env, mayBeFile: true, problems });
  if (problems.length > 0) throw new CliError(problems.join(' '), 2);
  return value;
}

async function inspect(
  argument: string | undefined,
  options: InspectOptions,
  context: CliContext,
): Promise<void> {
  const { env, stdout } = context;
  const token = await tokenOf(argument, context);
  const secrets = await secretsOf(options, env);
  const { secretKeys } = await import('../../auth/token-keys.ts');
  const key = secrets === undefined ? await publicKeyOf(options.publicKeyFile, env) : secretKeys(secrets);
  const { reportToken } = await import('../token-report.ts');
  const now = Date.now();
  const report = await reportToken(token, { key, ...partiesOf(options, env) }, now);
  if (options.json === true) await stdout.json(report);
  else await printReport(report, now, context);
  if (!report.valid) throw new CliError('A broker would refuse this token.');
}

async function tokenOf(argument: string | undefined, { env, stdin, signal }: CliContext): Promise<string> {
  const given = argument ?? env['SLUICE_TOKEN'];
  if (given !== undefined && given !== '' && given !== '-') return given.trim();
  if (stdin.isTTY) throw new CliError('Give the token as an argument, in SLUICE_TOKEN, or as the input.', 2);
  let text = '';
  signal.addEventListener('abort', () => stdin.destroy(signal.reason as Error), { once: true });
  for await (const chunk of stdin.setEncoding('utf8') as AsyncIterable<string>) {
    text += chunk;
    if (text.length > MAX_INPUT) break;
  }
  if (text.trim() === '')
    throw new CliError('Give the token as an argument, in SLUICE_TOKEN, or as the input.', 2);
  return text.trim();
}

async function printReport(report: TokenReport, now: number, { stdout, stderr }: CliContext): Promise<void> {
  const { header, claims, grants, expiresAt, problems, warnings, signature } = report;
  const title = (text: string): string => stdout.style('bold', text);
  if (Object.keys(claims).length > 0) {
    await stdout.line(`${title('header')}     ${printable(JSON.stringify(header))}`);
    await stdout.line(`${title('claims')}     ${printable(JSON.stringify(claims))}`);
    await stdout.line(`${title('signature')}  ${signature}`);
  }
  if (grants !== undefined) {
    await stdout.line(`${title('subscribe')}  ${inWords(grants.subscribe)}`);
    await stdout.line(`${title('publish')}    ${inWords(grants.publish)}`);
    await stdout.line(`${title('look in')}    ${grants.admin ? 'yes' : 'no'}`);
  }
  if (expiresAt !== undefined) {
    const ahead = expiresAt - now;
    const distance = readableDuration(Math.abs(ahead));
    const words = ahead > 0 ? `in ${distance}` : `${distance} ago`;
    await stdout.line(`${title(ahead > 0 ? 'expires' : 'expired')}    ${words} (${readableTime(expiresAt)})`);
  }
  for (const problem of problems)
    await stderr.line(`${stderr.style('red', 'problem:')} ${printable(problem)}`);
  for (const warning of warnings)
    await stderr.line(`${stderr.style('yellow', 'warning:')} ${printable(warning)}`);
}

function inWords(patterns: readonly ChannelPattern[]): string {
  const texts: readonly string[] = patterns;
  if (texts.includes('*')) return 'every channel';
  return texts.length === 0 ? 'no channel' : texts.join(', ');
}
