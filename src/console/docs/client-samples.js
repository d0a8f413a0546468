import { brokerUrl } from '../broker-url.js';
import { record, text } from '../json-value.js';
import { scriptString } from '../quote.js';
import { itemsOf } from './request.js';

/** @typedef {import('./request.js').ApiRequest} ApiRequest */

/** The ways to send a cursor when subscribing. */
const CURSORS = [
  'header Last-Event-ID',
  'query last_event_id',
  'query lastEventId',
  'query lastEventID',
  'query last-event-id',
  'query Last-Event-ID',
];

/**
 * The cursor of a subscription, or an empty string.
 *
 * @param {ApiRequest['values']} values
 */
export function cursorOf(values) {
  return CURSORS.map((name) => values[name] ?? '').find(Boolean) ?? '';
}

/**
 * The channels of a subscription.
 *
 * @param {ApiRequest['values']} values
 */
export function channelsOf(values) {
  return values['path channel'] ? [values['path channel']] : itemsOf(values['query channel'] ?? '');
}

/**
 * A page that subscribes without a library.
 *
 * @param {ApiRequest} request
 * @param {string} tokenCookie
 * @returns {string}
 */
export function eventSourceSample({ url, headers, credential }, tokenCookie) {
  const address = new URL(url);
  // An EventSource cannot send headers.
  const cursor = headers['Last-Event-ID'];
  if (cursor !== undefined) address.searchParams.set('last_event_id', cursor);
  return [
    ...(credential ? [`// The token comes from the cookie ${tokenCookie}.`] : []),
    `const source = new EventSource(${scriptString(address.href)}${credential ? ', { withCredentials: true }' : ''});`,
    '// Add a listener for each event type that you publish.',
    'source.addEventListener("message", (event) => console.log(event.lastEventId, event.data));',
    'source.addEventListener("sluice:gap", () => console.log("Events are missing: load your data again."));',
  ].join('\n');
}

/**
 * A page or a program that subscribes with `@sluice/client`.
 *
 * @param {ApiRequest} request
 * @returns {string | undefined} Undefined when the client has no option for a parameter.
 */
export function clientSample({ values, credential }) {
  // The client chooses the heartbeat by itself, and never waits for a single answer.
  if (['query wait', 'query heartbeat', 'query only', 'query plain'].some((name) => name in values))
    return undefined;
  const { 'query last': last, 'query since': since } = values;
  const cursor = cursorOf(values);
  const state = 'query state' in values;
  const token = credential ? ', { getToken: () => process.env.TOKEN }' : '';
  /** @param {string} channel */
  const optionsOf = (channel) => [
    ...(cursor === '' ? [] : [`after: ${scriptString(cursorIn(cursor, channel))}`]),
    ...(last === undefined ? [] : [`last: ${/^\d+$/.test(last) ? Number(last) : scriptString(last)}`]),
    ...(since === undefined ? [] : [`since: ${scriptString(since)}`]),
    ...(state ? ['state: true'] : []),
    '...handlers',
  ];
  return [
    'import { connect } from "@sluice/client";',
    '',
    'const handlers = {',
    '  onEvent: ({ channel, id, event, data }) => console.log(channel, id, event, data),',
    '  onGap: ({ channel }) => console.log(channel, "Events are missing: load your data again."),',
    '};',
    `const client = connect(${brokerLiteral()}${token});`,
    ...channelsOf(values).map(
      (channel) => `client.subscribe(${scriptString(channel)}, { ${optionsOf(channel).join(', ')} });`,
    ),
  ].join('\n');
}

/**
 * The part of a cursor list that belongs to a channel. A cursor of a single channel is no list.
 *
 * @param {string} cursor such as `a@1-0,b@2-0`, or `1-0`
 * @param {string} channel
 */
function cursorIn(cursor, channel) {
  if (!cursor.includes('@')) return cursor;
  const own = cursor.split(',').find((part) => part.startsWith(`${channel}@`));
  return own?.slice(channel.length + 1) ?? 'earliest';
}

/**
 * A program that publishes with `@sluice/client/publisher`.
 *
 * @param {ApiRequest} request
 * @returns {string | undefined} Undefined when the publisher cannot do the same.
 */
export function publisherSample({ values, body = '' }) {
  const calls = values['path channel'] ? rawCalls(values, body) : eventCalls(values, body);
  if (calls === undefined) return undefined;
  return [
    'import { createPublisher } from "@sluice/client/publisher";',
    '',
    `const publisher = createPublisher({ url: ${brokerLiteral()}, key: process.env.SLUICE_KEY });`,
    ...calls.map((call) => `console.log(await publisher.${call});`),
    'await publisher.close();',
  ].join('\n');
}

/**
 * @param {ApiRequest['values']} values
 * @param {string} body
 */
function rawCalls(values, body) {
  const channel = scriptString(values['path channel'] ?? '');
  const { 'query event': event, 'query key': key, 'query each': each } = values;
  const close = values['query close'] === 'true' || undefined;
  if (each !== undefined && 'header If-Match' in values) return undefined;
  const options = optionsLiteral({ each, event, key, close, ...headerOptions(values) });
  // An upload takes any stream.
  return each
    ? [`upload(${channel}, new Blob([${scriptString(body)}]).stream()${options})`]
    : [`publish(${channel}, ${scriptString(body)}${options})`];
}

/**
 * The events of a JSON body, each as an object.
 *
 * @param {string} body
 * @returns {Record<string, unknown>[] | undefined} Undefined when the body is not JSON.
 */
export function eventsIn(body) {
  try {
    /** @type {unknown} */
    const value = JSON.parse(body);
    return Array.isArray(value) ? value.map(record) : [record(value)];
  } catch {
    return undefined;
  }
}

/**
 * @param {ApiRequest['values']} values
 * @param {string} body
 */
function eventCalls(values, body) {
  const events = eventsIn(body);
  // The publisher names one channel for each event.
  if (events === undefined || events.some(({ channels }) => typeof channels === 'string')) return undefined;
  return events.flatMap(({ channel, channels, data, event, key, ifLast, close, delete: deletes }) => {
    const options = { event, key, ifLast, close, delete: deletes, ...headerOptions(values) };
    const value = data === undefined ? 'undefined' : scriptJson(data);
    const rest = `${optionsLiteral(options)})`;
    const call = data === undefined && rest === ')' ? '' : `, ${value}`;
    return (Array.isArray(channels) ? channels : [channel]).map(
      (name) => `publish(${scriptString(text(name))}${call}${rest}`,
    );
  });
}

/** @param {ApiRequest['values']} values */
function headerOptions(values) {
  return {
    idempotencyKey: values['header Idempotency-Key'],
    ...(values['header If-Match'] && { ifLast: values['header If-Match'].replaceAll('"', '') }),
  };
}

/**
 * The last argument of a call, or nothing when there are no options.
 *
 * @param {Record<string, unknown>} options
 */
function optionsLiteral(options) {
  const set = Object.entries(options).filter(([, value]) => value !== undefined && value !== '');
  return set.length === 0
    ? ''
    : `, { ${set.map(([name, value]) => `${name}: ${scriptJson(value)}`).join(', ')} }`;
}

/**
 * Writes a JSON value as JavaScript, in one line.
 *
 * @param {unknown} value
 * @returns {string}
 */
function scriptJson(value) {
  if (typeof value === 'string') return scriptString(value);
  if (Array.isArray(value)) return `[${value.map(scriptJson).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  // In an object literal, only a computed `__proto__` is an ordinary field.
  const fields = Object.entries(value).map(
    ([name, inner]) => `${name === '__proto__' ? '["__proto__"]' : scriptString(name)}: ${scriptJson(inner)}`,
  );
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`;
}

function brokerLiteral() {
  return scriptString(brokerUrl('./').href.replace(/\/$/, ''));
}
