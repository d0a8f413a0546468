import { describe, expect, test } from 'vitest';
import { bearerToken } from '../../src/auth/bearer.ts';
import { AllowedOrigins } from '../../src/auth/allowed-origins.ts';
import { isCookieAccepted, cookieTokens } from '../../src/auth/token-cookie.ts';
import { readTokenHeader } from '../../src/auth/token-header.ts';
import { brokerLogger } from '../../src/observe/broker-logger.ts';
import { parseChannelName } from '../../src/events/channel-name.ts';
import { parseChannelPattern } from '../../src/events/channel-pattern.ts';
import { EventRun } from '../../src/events/event-run.ts';
import { ORIGIN, parseEventId } from '../../src/events/event.ts';
import { parseOriginPattern } from '../../src/auth/origin-pattern.ts';
import { encodeRecord } from '../../src/events/record.ts';
import { countedAddress, forwardedClientAddress } from '../../src/http/client-address.ts';
import { parseDisconnect } from '../../src/routes/disconnect-body.ts';
import { noProgress, readPlainPublish } from '../../src/routes/plain-publish.ts';
import { ReceivedBytes } from '../../src/http/received-bytes.ts';
import { startPositions } from '../../src/routes/start-position.ts';
import { parseTokenBody } from '../../src/routes/token-body.ts';
import { trustedProxies } from '../../src/http/trusted-proxies.ts';
import { fits, parsePublication, parseRawPublication } from '../../src/publish/publication.ts';
import { EVENT_FRAMES } from '../../src/stream/event-frames.ts';
import { growth, isLinear } from '../support/growth.ts';
import { hostileReaders } from './hostile-readers.ts';
import type { Readers } from './hostile-readers.ts';

/** Every reader of a stranger's text takes time that grows no faster than the text's length, for any text. */

/**
 * Units that have made expressions and loops quadratic: blanks, separators, quotes, brackets, digits, and beginnings of
 * tokens.
 */
const UNITS = [
  [
    ' ',
    '\t',
    ',',
    '.',
    '%',
    '%41',
    '%25',
    '"',
    "'",
    '[',
    ']',
    '{',
    '}',
    '(',
    '1',
    '9',
    ';',
    '=',
    ':',
    '::',
    '@',
  ],
  [
    '&',
    '?',
    '/',
    '\\',
    '\\"',
    '\\u',
    '\\n',
    '\\ud800',
    'a',
    'A',
    'e',
    'x',
    '-',
    '_',
    '~',
    '*',
    '+',
    '#',
    '\0',
  ],
  [
    '\u007f',
    'é',
    '😀',
    '\ud800',
    ' a',
    'a ',
    'a, ',
    'a=b; ',
    'a=b&',
    '"a",',
    '"":1,',
    '{},',
    '1e1,',
    '[1],',
    '{"a":',
  ],
  [
    'null,',
    '-0',
    '1.',
    '1-',
    '-1',
    'a@',
    'a@1-0,',
    '@1-0',
    'eyJ',
    'eyJ.',
    'eyJa.b',
    'token=',
    '&token=',
    '10.0.0.1, ',
  ],
  [
    '::1, ',
    '[::1]:1,',
    '00:00',
    '+00:00',
    ':60',
    '\n',
    '\r',
    '\r\n',
    '\n\r',
    '\r\n\r',
    'data: ',
    'bearer ',
    'sluice:',
  ],
  ['sluice_token=', 'sluice_token="'],
].flat();

const MAX_BYTES = 1024 ** 2;
/** The size of text in a head: more than the default limit accepts. */
const HEAD = 64 * 1024;

const NO_ORIGINS = new AllowedOrigins([]);
const BELOW = new AllowedOrigins(['https://*.example.com', 'https://*.example.org:8443']);
const news = parseChannelName('news');
const trusts = trustedProxies(['10.0.0.0/8', '::1']);
const logger = brokerLogger('info', { write: () => undefined });

function plain(lines: readonly string[], start = 'POST /publish HTTP/1.1'): void {
  const head = [
    start,
    'Host: a',
    'Authorization: Bearer k',
    'Content-Type: application/json',
    ...lines,
    '',
    '',
  ];
  readPlainPublish(Buffer.from(head.join('\r\n'), 'latin1'));
}

const publication = (body: string): unknown => parsePublication(Buffer.from(body), MAX_BYTES);
const data = (json: string): unknown => publication(`{"channel":"news","data":${json}}`);

const READERS: Readers = {
  // The lane accepts no longer heads.
  'a value in the lane': [7_900, (text) => plain([`a:${text}`])],
  'a value in the lane, with its end wrong': [7_900, (text) => plain([`a:${text}\u007f`])],
  'a value in the lane, between letters': [7_900, (text) => plain([`a:x${text}x`])],
  'a name in the lane': [7_900, (text) => plain([`${text}: x`])],
  'lines in the lane': [7_900, (text) => plain([text.replaceAll(/(.{50})/g, '$1\r\n')])],
  'a target in the lane': [7_900, (text) => plain([], `POST /publish/${text} HTTP/1.1`)],
  'a length in the lane': [7_900, (text) => plain([`Content-Length: ${text}`])],
  'a key in the lane': [7_900, (text) => plain(['Content-Length: 1', `Idempotency-Key: ${text}`])],
  'a connection in the lane': [7_900, (text) => plain(['Content-Length: 1', `Connection: ${text}`])],
  credentials: [HEAD, (text) => bearerToken(`Bearer ${text}`)],
  'credentials, with their end wrong': [HEAD, (text) => bearerToken(`Bearer a${text}a b\t`)],
  'a token': [HEAD, readTokenHeader],
  'the header of a token': [
    8_000,
    (text) => readTokenHeader(`${Buffer.from(text).toString('base64url').slice(0, 7_900)}.a.b`),
  ],
  cookies: [HEAD, (text) => cookieTokens(text, 'sluice_token')],
  'our cookie': [HEAD, (text) => cookieTokens(`sluice_token=${text}`, 'sluice_token')],
  'our cookie, in quotes': [HEAD, (text) => cookieTokens(`sluice_token="${text}"x`, 'sluice_token')],
  'an origin': [HEAD, (text) => isCookieAccepted({ origin: `https://${text}`, host: 'a' }, NO_ORIGINS)],
  'an origin, below a domain': [HEAD, (text) => BELOW.lists(`https://${text}.example.com`)],
  'an origin, as a setting': [HEAD, parseOriginPattern],
  'a host': [HEAD, (text) => isCookieAccepted({ origin: 'https://a', host: text }, NO_ORIGINS)],
  'an address': [HEAD, countedAddress],
  'forwarded addresses in the lane': [HEAD, (text) => forwardedClientAddress('10.0.0.1', text, trusts)],
  'forwarded addresses in the lane, all trusted': [
    HEAD,
    (text) => forwardedClientAddress('10.0.0.1', `${text}${',10.0.0.1'.repeat(text.length / 9)}`, trusts),
  ],
  'an address in brackets': [HEAD, (text) => countedAddress(`[${text}]:80x`)],
  'an address with a zone': [HEAD, (text) => countedAddress(`fe80::1%${text}`)],
  'a proxy': [HEAD, trusts],
  'a cursor': [HEAD, (text) => startPositions(text, {}, [news])],
  'a cursor of several channels': [HEAD, (text) => startPositions(`a@1-0,${text}`, {}, [news])],
  'the rest of a cursor': [HEAD, (text) => startPositions(`a@1-0,~${text}`, {}, [news, news])],
  'a time': [HEAD, (text) => startPositions(undefined, { since: text }, [news])],
  'a time with a fraction': [
    HEAD,
    (text) => startPositions(undefined, { since: `2026-01-31T12:00:00.${text}Z` }, [news]),
  ],
  'a count': [HEAD, (text) => startPositions(undefined, { last: text }, [news])],
  'a name of a channel': [HEAD, parseChannelName],
  'a pattern of channels': [HEAD, parseChannelPattern],
  'an event id': [HEAD, parseEventId],
  'a type of events': [
    HEAD,
    (text) => parseRawPublication(news, { type: text, bytes: undefined }, MAX_BYTES),
  ],
  'a line of the log': [HEAD, (text) => logger.info(text)],
  'a token in the log': [HEAD, (text) => logger.info(`/events/a?token=${text} eyJ${text}`)],
  'a raw body': [
    MAX_BYTES / 8,
    (text) => parseRawPublication(news, { type: undefined, bytes: Buffer.from(text) }, MAX_BYTES),
  ],
  'a JSON body': [MAX_BYTES / 8, publication],
  'data that are a string': [MAX_BYTES / 8, (text) => data(`"${text}"`)],
  'data that are a string of that': [MAX_BYTES / 8, (text) => data(JSON.stringify(text))],
  'data that are a list': [MAX_BYTES / 8, (text) => data(`[${text}1]`)],
  'data that are an object': [MAX_BYTES / 8, (text) => data(`{${text}"a":1}`)],
  'data that are a number': [MAX_BYTES / 8, (text) => data(`1${text}`)],
  fields: [MAX_BYTES / 8, (text) => publication(`{${text}"channel":"news"}`)],
  'the name of a field': [MAX_BYTES / 8, (text) => publication(JSON.stringify({ [text]: 1 }))],
  'the channel of a publication': [
    MAX_BYTES / 8,
    (text) => publication(JSON.stringify({ channel: text, data: 1 })),
  ],
  'the type of a publication': [
    MAX_BYTES / 8,
    (text) => publication(JSON.stringify({ channel: 'a', event: text, data: 1 })),
  ],
  'a request for a token': [HEAD, (text) => parseTokenBody(Buffer.from(`{"subscribe":[${text}"a"]}`))],
  'a request for a disconnect': [
    HEAD,
    (text) => parseDisconnect(Buffer.from(JSON.stringify({ sub: text })), 0),
  ],
  'the frame of an event': [MAX_BYTES / 8, (text) => frameOf(text)],
  'whether an event fits': [MAX_BYTES / 8, (text) => fits(text, text.length * 2)],
};

hostileReaders(READERS, UNITS);

describe('a request in packets of one byte', () => {
  test.each([
    ['with a long head', 7_000, 10],
    ['with a long body', 200, 50_000],
  ])('%s is copied and searched once', (_what, headLength, bodyLength) => {
    const grown = growth((size) => {
      const lines = ['POST /publish/news HTTP/1.1', 'Host: a', 'Authorization: Bearer k'];
      const length = Math.floor((size * bodyLength) / 8);
      const filler = 'x'.repeat(Math.floor((size * headLength) / 8));
      const head = [...lines, `Content-Length: ${length}`, `X: ${filler}`, '', ''].join('\r\n');
      const bytes = Buffer.from(head + 'x'.repeat(length));
      const received = new ReceivedBytes();
      const progress = noProgress();
      for (let at = 0; at < bytes.length; at++) {
        received.add(bytes.subarray(at, at + 1));
        const request = readPlainPublish(
          received.bytes ?? expect.unreachable(),
          undefined,
          undefined,
          progress,
        );
        if (at < bytes.length - 1) expect(request === 'incomplete').toBe(true);
        else expect(request).toBeTypeOf('object');
      }
    }, 8);
    expect(grown).toSatisfy(isLinear);
  });
});

function frameOf(text: string): unknown {
  const record = Buffer.from(encodeRecord({ type: 'a', data: text }));
  return new EventRun(ORIGIN, [{ id: ORIGIN, prev: ORIGIN, record }]).as(EVENT_FRAMES);
}
