import type { z } from 'zod';
import { SETTING_DESCRIPTIONS } from '../src/config/setting-descriptions.ts';
import { FILE_SETTINGS, SETTINGS } from '../src/config/settings.ts';
import type { SettingName } from '../src/config/settings.ts';

/** Makes a Markdown table of all settings: name, default, format (from the schema's messages) and description. */
export function settingsTable(): string {
  const rows = (Object.keys(SETTINGS) as SettingName[]).map((name) => {
    const { schema, fallback } = SETTINGS[name];
    const file = FILE_SETTINGS.has(name) ? `. \`${name}_FILE\` can name a file that holds it` : '';
    return row(`\`${name}\``, inWords(fallback), takes(schema), SETTING_DESCRIPTIONS[name] + file);
  });
  return [row('name', 'default', 'takes', ''), row('---', '---', '---', '---'), ...rows].join('\n');
}

function inWords(fallback: string | undefined): string {
  return fallback === undefined || fallback === '' ? 'none' : `\`${fallback}\``;
}

function row(...cells: readonly string[]): string {
  return `|${cells.map((cell) => (cell === '' ? ' ' : ` ${cell.replaceAll('|', String.raw`\|`)} `)).join('|')}|`;
}

/** Values that no schema accepts, to get its message about the format. */
const WRONG = ['\0', ''];
/** Values below and above all limits, to get the messages about the limits. */
const EXTREMES = ['0', '0ms', '999999999d'];

/** Describes the format of a setting by the messages with which its schema refuses wrong values. */
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

/** Writes a number of ms in a larger unit, and escapes Markdown. */
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
  // The limit of setTimeout is about 24.8 days and not a whole number of a larger unit.
  return ms > 86_400_000 && unit === 'ms' ? `${Math.floor(ms / 8_640_000) / 10}d` : `${ms / size}${unit}`;
}
