import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import { readProblem } from '../../support/read-problem.ts';
import { watchChannel } from '../../support/watch-channel.ts';
import type { WatchedChannel } from '../../support/watch-channel.ts';

let broker: Broker;
let watched: WatchedChannel;
beforeAll(async () => {
  broker = await startBroker();
  watched = await watchChannel(broker, 'bodies');
});
afterAll(() => broker.kill());

const publication = (data: string): string => `{"channel":"bodies","data":${data}}`;

async function refusal(body: string | Buffer, path = '/publish'): Promise<void> {
  const problem = readProblem(await publishRaw(broker, { path, body }), 400);
  expect(problem.code).toBe('invalid-body');
}

describe('a body that is not UTF-8 is refused', () => {
  const malformed = [
    { why: 'a byte that never occurs', bytes: [0xff] },
    { why: 'a continuation byte alone', bytes: [0x80] },
    { why: 'a sequence cut short by the end', bytes: [0xe2, 0x82] },
    { why: 'a sequence cut short by ASCII', bytes: [0xe2, 0x82, 0x61] },
    { why: 'an overlong slash of two bytes', bytes: [0xc0, 0xaf] },
    { why: 'an overlong slash of three bytes', bytes: [0xe0, 0x80, 0xaf] },
    { why: 'an overlong NUL', bytes: [0xc0, 0x80] },
    { why: 'half of a surrogate pair', bytes: [0xed, 0xa0, 0x80] },
    { why: 'a surrogate pair in two halves (CESU-8)', bytes: [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80] },
    { why: 'a code point above U+10FFFF', bytes: [0xf4, 0x90, 0x80, 0x80] },
    { why: 'UTF-16 with its mark', bytes: [0xff, 0xfe, 0x68, 0x00] },
    { why: 'Latin-1', bytes: [0x63, 0x61, 0x66, 0xe9] },
    { why: 'a real U+FFFD beside a wrong byte', bytes: [0xef, 0xbf, 0xbd, 0xfe] },
  ];

  test.each(malformed)('in JSON: $why', async ({ bytes }) => {
    const [before = '', after = ''] = publication('"|"').split('|');
    await refusal(Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]));
  });

  test.each(malformed)('as raw data: $why', async ({ bytes }) => {
    await refusal(Buffer.from(bytes), '/publish/bodies');
  });
});

describe('half of a surrogate pair is refused', () => {
  test.each([
    ['the first half', publication(String.raw`"\ud800"`)],
    ['the second half', publication(String.raw`"\udc00"`)],
    ['in capitals', publication(String.raw`"\uDBFF"`)],
    ['at the end of a text', publication(String.raw`"smile \ud83d"`)],
    ['halves in the wrong order', publication(String.raw`"\ude00\ud83d"`)],
    ['a whole pair beside it', publication(String.raw`"\ud83d\ude00\ud83d"`)],
    ['in a list', publication(String.raw`["a",["\ud800"]]`)],
    ['in an object', publication(String.raw`{"a":{"b":"\ud800"}}`)],
    ['in the name of a property', publication(String.raw`{"\ud800":1}`)],
    ['beside a long number', publication(String.raw`[12345678901234567890,"\ud800"]`)],
    ['in the type', String.raw`{"channel":"bodies","event":"\ud800","data":"x"}`],
  ])('%s', async (_why, body) => {
    await refusal(body);
  });
});

describe('NUL is refused', () => {
  test.each([
    ['in a string', publication(String.raw`"a\u0000b"`)],
    ['a string of it alone', publication(String.raw`"\u0000"`)],
    ['a byte in JSON', publication('"a\0b"')],
    ['a byte behind JSON', `${publication('"x"')}\0`],
  ])('%s', async (_why, body) => {
    await refusal(body);
  });

  test('as a byte of raw data', async () => {
    await refusal('a\0b', '/publish/bodies');
  });
});

describe('a body that is not JSON is refused', () => {
  test.each([
    ['nothing', ''],
    ['blanks', ' \n'],
    ['half of an object', '{"channel":"bodies",'],
    ['single quotes', "{'channel':'bodies','data':'x'}"],
    ['a comma too many', '{"channel":"bodies","data":"x",}'],
    ['NaN', publication('NaN')],
    ['undefined', publication('undefined')],
    ['a leading zero', publication('01')],
    ['a comment', publication('"x" /* y */')],
    ['two values', publication('"x"') + publication('"y"')],
    ['a line break in a string', publication('"a\nb"')],
    ['an unknown escape', publication(String.raw`"\x41"`)],
    ['a form', 'channel=bodies&data=x'],
    ['a long number and half of an object', '{"channel":"bodies","data":12345678901234567890'],
  ])('%s', async (_why, body) => {
    await refusal(body);
  });
});

describe('a list is refused', () => {
  test.each([
    ['an empty one', '[]'],
    ['of a list of a publication', `[[${publication('"x"')}]]`],
    ['without its end', `[${publication('"x"')}`],
    ['with a comma too many', `[${publication('"x"')},]`],
    ['with something behind it', `[${publication('"x"')}]x`],
    ['of other things', '[1]'],
  ])('%s', async (_why, body) => {
    await refusal(body);
  });
});

describe('deeply nested data is refused', () => {
  test.each([
    ['1,000 lists', '['.repeat(1_000), ']'.repeat(1_000)],
    ['1,000 objects', '{"a":'.repeat(1_000), '}'.repeat(1_000)],
    ['100,000 lists', '['.repeat(100_000), ']'.repeat(100_000)],
    ['100,000 objects', '{"a":'.repeat(100_000), '}'.repeat(100_000)],
  ])('%s', async (_why, open, close) => {
    await refusal(publication(`${open}1${close}`));
    await refusal(publication(`${open}12345678901234567890${close}`));
  });
});

test.each([
  ['not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ['not JSON', '{'],
  ['empty', ''],
  ['an empty list', '[]'],
])('the problem points to the whole body when it is %s', async (_what, body) => {
  expect(readProblem(await publishRaw(broker, { body }), 400).pointers).toEqual(['']);
});

test('none of the refused bodies was delivered', () => watched.nothingCame());
