import { z } from 'zod';
import { parseChannelPattern } from '../events/channel-pattern.ts';
import type { ChannelPattern } from '../events/channel-pattern.ts';
import { MAX_KEYS } from '../events/channel-policies.ts';
import type { ChannelRule } from '../events/channel-policies.ts';
import { parseJsonSetting, shownJson } from './json-setting.ts';
import { DURATION_UNITS } from '../events/duration.ts';
import { duration } from './setting-values.ts';

const MAX_RULES = 100;
const MAX_SIZE = 10_000_000;

const SIZE_FORM = `a whole number from 0 to ${MAX_SIZE}`;
const KEYS_FORM = `a whole number from 1 to ${MAX_KEYS}`;
const TTL_FORM = 'a number with ms, s, m, h or d';

const history = z.strictObject(
  {
    size: z
      .number(SIZE_FORM)
      .refine((size) => Number.isInteger(size) && size >= 0 && size <= MAX_SIZE, SIZE_FORM)
      .optional(),
    ttl: z
      .string(TTL_FORM)
      .pipe(duration(1_000, 365 * DURATION_UNITS.d))
      .optional(),
  },
  'an object such as {"size":5000,"ttl":"24h"}',
);

const rule = z
  .strictObject(
    {
      match: z.custom<ChannelPattern>(isPattern, 'a channel name, a prefix followed by *, or *'),
      history: history.optional(),
      public: z.boolean('true or false').optional(),
      latest: z.boolean('true or false').optional(),
      keys: z
        .number(KEYS_FORM)
        .refine((keys) => Number.isInteger(keys) && keys >= 1 && keys <= MAX_KEYS, KEYS_FORM)
        .optional(),
    },
    'an object such as {"match":"chat.*","public":true}',
  )
  .transform((given): ChannelRule => ({
    match: given.match,
    history: given.history ?? {},
    isPublic: given.public,
    latest: given.latest,
    keys: given.keys,
  }));

/** The members of the object at each depth of a pointer. */
const MEMBERS: Readonly<Record<number, string>> = {
  1: 'match, history, public, latest and keys',
  2: 'size and ttl',
};

/**
 * The value of SLUICE_CHANNELS: rules as JSON. Each fault in a rule is an issue with a path. Its message follows the pointer
 * in a sentence. The message of an issue without a path completes "expected …", as for other settings.
 */
export const channelRules = z.string().transform((text, context) => {
  const faultAt = (path: readonly PropertyKey[], message: string): void =>
    context.addIssue({ code: 'custom', path: [...path], message });
  const given = parseJsonSetting(text);
  if (!Array.isArray(given.value)) {
    context.addIssue(`a JSON array of rules${given.breaksAt}`);
    return z.NEVER;
  }
  if (given.value.length > MAX_RULES) {
    faultAt(
      [MAX_RULES],
      `is rule number ${MAX_RULES + 1} of ${given.value.length}; expected at most ${MAX_RULES}`,
    );
    return z.NEVER;
  }
  const { data, error } = z.array(rule).safeParse(given.value);
  if (data === undefined) {
    for (const issue of error.issues) {
      if (issue.code === 'unrecognized_keys')
        for (const key of issue.keys)
          faultAt([...issue.path, key], `is not known; the members here are ${MEMBERS[issue.path.length]}`);
      else
        faultAt(issue.path, `is ${shownJson(valueAt(given.value, issue.path))}; expected ${issue.message}`);
    }
    return z.NEVER;
  }
  for (const [index, { match }] of data.entries()) {
    const earlier = data.slice(0, index).findIndex((one) => covers(one.match, match));
    if (earlier >= 0)
      faultAt(
        [index, 'match'],
        `is "${match}" and never applies, because /${earlier}/match is "${data[earlier]?.match}" and the first match wins; move rule ${index} before rule ${earlier}, or remove it`,
      );
  }
  return data;
});

function isPattern(value: unknown): boolean {
  return typeof value === 'string' && parseChannelPattern(value) !== undefined;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const part of path) at = (at as Readonly<Record<PropertyKey, unknown>>)[part];
  return at;
}

/** Whether every channel that matches the later pattern matches the earlier one, too. */
function covers(earlier: string, later: string): boolean {
  return earlier.endsWith('*') ? later.startsWith(earlier.slice(0, -1)) : later === earlier;
}
