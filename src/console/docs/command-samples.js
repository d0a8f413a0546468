import { brokerUrl } from '../broker-url.js';
import { record, text } from '../json-value.js';
import { shellWord } from '../quote.js';
import { channelsOf, cursorOf, eventsIn } from './client-samples.js';

/** @typedef {import('./request.js').ApiRequest} ApiRequest */
/** @typedef {Record<string, string | readonly string[] | boolean | undefined>} Options */

/**
 * The command of `sluice` for an operation, by the operation's id. Undefined when no command can do the same as the request.
 *
 * @type {Record<string, (request: ApiRequest) => string | undefined>}
 */
const COMMANDS = {
  publish: publishCommand,
  publishRaw: publishRawCommand,
  publishPut: publishRawCommand,
  deleteChannel: ({ values }) => command('delete', channelsOf(values), { yes: true }),
  subscribe: subscribeCommand,
  subscribeToMany: subscribeCommand,
  readEvents: historyCommand,
  listChannels: channelsCommand,
  describeChannel: ({ values }) => command('channel', channelsOf(values)),
  listSubscribers: ({ values }) =>
    command('who', channelsOf(values), { sub: values['query sub'], limit: values['query limit'] }),
  readStatus: () => command('status', []),
  makeToken: tokenCommand,
  disconnect: disconnectCommand,
};

/** @param {string} id the id of an operation */
export function hasCommand(id) {
  return Object.hasOwn(COMMANDS, id);
}

/**
 * @param {string} id the id of an operation
 * @param {ApiRequest} request
 */
export function commandSample(id, request) {
  return COMMANDS[id]?.(request);
}

/** @param {ApiRequest} request */
function publishCommand({ values, body = '' }) {
  const events = eventsIn(body);
  if (events === undefined || 'header If-Match' in values) return undefined;
  const idempotency = { 'idempotency-key': values['header Idempotency-Key'] };
  const [event = {}] = events;
  const { channel, channels, data, event: type, key, ifLast, close } = event;
  const shown = typeof data === 'string' ? data : JSON.stringify(data);
  // Other events are lines of NDJSON, which take all fields of the API.
  if (events.length !== 1 || shown === undefined || shown === '-' || event['delete'] === true) {
    const lines = events.map((one) => shellWord(JSON.stringify(one)));
    return `printf '%s\\n' \\\n  ${lines.join(' \\\n  ')} |\n  ${command('publish', [], { ndjson: true, ...idempotency })}`;
  }
  const many = channels === undefined ? undefined : [channels].flat().map(String);
  return command('publish', many === undefined ? [text(channel), shown] : [shown], {
    channel: many,
    event: text(type),
    'state-key': text(key),
    'if-last': text(ifLast),
    close: close === true,
    ...idempotency,
  });
}

/** @param {ApiRequest} request */
function publishRawCommand({ values, body = '' }) {
  const channels = channelsOf(values);
  const { 'query each': each } = values;
  const options = {
    event: values['query event'],
    'state-key': values['query key'],
    'if-last': values['header If-Match']?.replaceAll('"', ''),
    'idempotency-key': values['header Idempotency-Key'],
    close: values['query close'] === 'true',
  };
  if (each === undefined) return body === '-' ? undefined : command('publish', [...channels, body], options);
  return `printf %s ${shellWord(body)} |\n  ${command('publish', channels, { [each === 'line' ? 'lines' : 'sse']: true, ...options })}`;
}

/** @param {ApiRequest} request */
function subscribeCommand({ values, credential }) {
  if (['query wait', 'query heartbeat', 'query only', 'query plain'].some((name) => name in values))
    return undefined;
  return command('subscribe', channelsOf(values), {
    after: cursorOf(values),
    last: values['query last'],
    since: values['query since'],
    state: 'query state' in values,
    token: credential,
  });
}

/** @param {ApiRequest} request */
function historyCommand({ values, credential }) {
  if ('query wait' in values || 'header If-None-Match' in values) return undefined;
  return command('history', channelsOf(values), {
    after: values['query after'] ?? cursorOf(values),
    last: values['query last'],
    since: values['query since'],
    limit: values['query limit'],
    token: credential,
  });
}

/** @param {ApiRequest} request */
function channelsCommand({ values }) {
  if ('query after' in values) return undefined;
  const { 'query busiest': busiest, 'query prefix': prefix, 'query limit': limit } = values;
  return busiest === undefined
    ? command('channels', prefix === undefined ? [] : [prefix], { limit })
    : command('top', [], { once: true, limit: busiest });
}

/** @param {ApiRequest} request */
function tokenCommand({ body = '' }) {
  const claims = eventsIn(body)?.[0];
  if (claims === undefined) return undefined;
  const { subscribe, publish, admin, ttl, sub } = claims;
  return command('token mint', [], {
    subscribe: [subscribe ?? []].flat().map(String),
    publish: [publish ?? []].flat().map(String),
    admin: admin === true,
    ttl: typeof ttl === 'number' ? `${ttl}s` : undefined,
    sub: text(sub),
  });
}

/** @param {ApiRequest} request */
function disconnectCommand({ body = '' }) {
  const wanted = eventsIn(body)?.[0];
  if (wanted === undefined) return undefined;
  const { channel, sub, revoke } = record(wanted);
  return command('disconnect', [], { channel: text(channel), sub: text(sub), revoke: revoke === true });
}

/**
 * Writes a command line. `sluice` reads a publish key from SLUICE_KEY by itself.
 *
 * @param {string} name
 * @param {readonly string[]} args
 * @param {Options} options by name. The value of `token` is the name of a variable.
 */
function command(name, args, options = {}) {
  const flags = Object.entries({ url: brokerUrl('./').href.replace(/\/$/, ''), ...options }).flatMap(
    ([option, value]) => [value ?? ''].flat().map((one) => flag(option, one)),
  );
  const words = args.map(word);
  const shown = flags.filter(Boolean);
  // After `--`, a word that begins with a hyphen is no option.
  const lines = args.some((one) => one.startsWith('-'))
    ? [`npx sluice ${name}`, ...shown, ['--', ...words].join(' ')]
    : [['npx sluice', name, ...words].join(' '), ...shown];
  return lines.join(' \\\n  ');
}

/**
 * @param {string} name
 * @param {string | boolean} value
 */
function flag(name, value) {
  if (value === false || value === '') return '';
  if (value === true) return `--${name}`;
  if (name === 'token') return `--token "$${value}"`;
  return value.startsWith('-') ? `--${name}=${word(value)}` : `--${name} ${word(value)}`;
}

/** @param {string} value */
function word(value) {
  return /^[\w.:@%+/,-]+$/.test(value) ? value : shellWord(value);
}
