import { parsePublication } from '../../src/publish/publication.ts';
import { cost } from '../support/growth.ts';

/**
 * Prints how long it takes to read a publication of 1 MiB, in ms, for each kind of data, and how long `JSON.parse` takes for all of
 * them, as one line of JSON. This runs in a process of its own, because the test runner's loader slows down each call between files
 * several times.
 */
const MAX_BYTES = 1024 ** 2;

const repeated = (part: string, end: string): string => {
  const times = Math.floor((MAX_BYTES - 60 - end.length) / part.length);
  return part.repeat(times) + end;
};
const nested = (open: string, close: string): string => `${open.repeat(190)}1${close.repeat(190)},`;

const data: Readonly<Record<string, string>> = {
  'empty objects': `[${repeated('{},', '{}')}]`,
  'numbers with an exponent': `[${repeated('1e1,', '1e1')}]`,
  'short numbers': `[${repeated('1,', '1')}]`,
  'long numbers': `[${repeated('12345678901234567890,', '1')}]`,
  'empty strings': `[${repeated('"",', '""')}]`,
  words: `[${repeated('null,', 'null')}]`,
  lists: `[${repeated(nested('[', ']'), '1')}]`,
  'nested objects': `[${repeated(nested('{"a":', '}'), '1')}]`,
  properties: `{${Array.from({ length: 90_000 }, (_, i) => `"k${i}":1`).join(',')}}`,
  blanks: `[${repeated(' ', '')}]`,
  'blanks between': `[${repeated('{ } , ', '1')}]`,
  'escaped characters': `"${repeated(String.raw`\u00e9`, '')}"`,
  'escaped pairs': `[${repeated(String.raw`"\ud83d\ude00",`, '1')}]`,
  'one number': repeated('1', ''),
  'one string': `"${repeated('x', '')}"`,
};
const bodies = Object.entries(data).map(
  ([name, json]) => [name, `{"channel":"news","data":${json}}`] as const,
);
const unknown = Array.from({ length: 100_000 }, (_, i) => `"${i.toString(36)}":1`).join(',');

const wholes = [
  ['fields that there are not', `{${unknown}}`],
  ['names that begin escaped', `{${repeated(String.raw`"\u0063":1,`, '"data":1')}}`],
  [
    'one name, escaped',
    `{${repeated(String.raw`"\u0063\u0068\u0061\u006e\u006e\u0065\u006c":1,`, '"data":1')}}`,
  ],
] as const;

const costs: Record<string, number> = {};
let parsed = 0;
for (const [name, text] of [...bodies, ...wholes]) {
  const body = Buffer.from(text);
  costs[name] = cost(() => {
    try {
      parsePublication(body, MAX_BYTES);
    } catch {
      // A refused body must not cost more than an accepted one.
    }
  });
  parsed += cost(() => void JSON.parse(text));
}
process.stdout.write(JSON.stringify({ costs, parsed }));
