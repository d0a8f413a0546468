import type { z } from 'zod';
import { SETTING_DESCRIPTIONS } from '../src/settings/setting-descriptions.ts';
import { SECRETS, SETTINGS } from '../src/settings/settings.ts';
import type { SettingName } from '../src/settings/settings.ts';

/** Every setting in a table of Markdown: name, default, what it takes in the words of its schema, and what it is for. */
export function settingsTable(): string {
  const rows = (Object.keys(SETTINGS) as SettingName[]).map((name) => {
    const { schema, fallback } = SETTINGS[name];
    const file = SECRETS.has(name) ? `. \`${name}_FILE\` can name a file that holds it` : '';
    return row(`\`${name}\``, inWords(fallback), takes(schema), SETTING_DESCRIPTIONS[name] + file);
  });
  return [row('name', 'default', 'takes', ''), row('---', '---', '---', '---'), ...rows].join('\n');
}

/** The same for the README: without what it takes, and with links from the project's folder. */
export function shortSettingsTable(): string {
  const rows = (Object.keys(SETTINGS) as SettingName[]).map((name) => {
    const description = SETTING_DESCRIPTIONS[name].replaceAll(/\]\((?=[a-z]+\.md)/g, '](docs/');
    return row(`\`${name}\``, inWords(SETTINGS[name].fallback), description);
  });
  return [row('name', 'default', ''), row('---', '---', '---'), ...rows].join('\n');
}

function inWords(fallback: string | undefined): string {
  return fallback === undefined || fallback === '' ? 'none' : `\`${fallback}\``;
}

function row(...cells: readonly string[]): string {
  return `|${cells.map((cell) => (cell === '' ? ' ' : ` ${cell.replaceAll('|', String.raw`\|`)} `)).join('|')}|`;
}

/** No setting takes the first of these. Behind the others stand the limits: too little, and too much. */
const WRONG = ['\0', ''];
const EXTREMES = ['0', '0ms', '999999999d'];

/** What a schema says when it is given the wrong thing is what it takes. */
function takes(schema: z.ZodType): string {
  const form = WRONG.map((given) => refusal(schema, given)).find((message) => message !== undefined);
  const limits = EXTREMES.map((given) => refusal(schema, given)).filter((message) =>
    /^at (?:least|most) \d/.test(message ?? ''),
  );
  return [form ?? 'text', ...limits].map((text) => readable(text ?? '')).join(', ');
}

function refusal(schema: z.ZodType, given: string): string | undefined {
  return schema.safeParse(given).error?.issues[0]?.message;
}

/** Milliseconds by the thousand are for programs. */
function readable(message: string): string {
  return message
    .replaceAll(/"([^"|]*)"/g, '`$1`')
    .replaceAll('*', String.raw`\*`)
    .replace(/(\d+) ms$/, (_, digits: string) => `\`${inLargestUnit(Number(digits))}\``);
}

function inLargestUnit(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1_000],
  ] as const;
  const [unit, size] = units.find(([, one]) => ms % one === 0 && ms > 0) ?? ['ms', 1];
  // The longest that a timer takes: 24.8 days and a little.
  return ms > 86_400_000 && unit === 'ms' ? `${Math.floor(ms / 8_640_000) / 10}d` : `${ms / size}${unit}`;
}
