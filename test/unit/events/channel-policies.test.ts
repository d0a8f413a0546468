import { expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import type { ChannelPattern } from '../../../src/events/channel-pattern.ts';
import { ChannelPolicies } from '../../../src/events/channel-policies.ts';
import type { ChannelRule } from '../../../src/events/channel-policies.ts';

const DEFAULTS = { history: { size: 10, ttl: 1_000 }, publicChannels: ['news' as ChannelPattern] };

function rule(match: string, history: ChannelRule['history'], isPublic?: boolean): ChannelRule {
  return { match: match as ChannelPattern, history, isPublic };
}

function policyOf(name: string, rules: readonly ChannelRule[]): readonly [number, number, boolean] {
  const policies = new ChannelPolicies(rules, DEFAULTS);
  const channel = parseChannelName(name);
  const { size, ttl } = policies.historyOf(channel);
  return [size, ttl, policies.isPublic(channel)];
}

test('without a rule the settings for all channels decide', () => {
  expect(policyOf('news', [])).toEqual([10, 1_000, true]);
  expect(policyOf('other', [rule('news', { size: 1 })])).toEqual([10, 1_000, false]);
});

test('a rule changes only what it names', () => {
  const rules = [rule('news', { size: 0 }), rule('a', { ttl: 5 }), rule('b', {}, true)];
  expect(policyOf('news', rules)).toEqual([0, 1_000, true]);
  expect(policyOf('a', rules)).toEqual([10, 5, false]);
  expect(policyOf('b', rules)).toEqual([10, 1_000, true]);
});

test('a rule makes a channel public or private, whatever the setting for all channels says', () => {
  expect(policyOf('news', [rule('*', {}, false)])[2]).toBe(false);
  expect(policyOf('other', [rule('*', {}, true)])[2]).toBe(true);
});

test('`latest` and `keys` come from a rule alone', () => {
  const match = 'a' as ChannelPattern;
  const policies = new ChannelPolicies([{ ...rule('a', {}), match, latest: true, keys: 5 }], DEFAULTS);
  const channels = ['a', 'b'].map(parseChannelName);
  expect(channels.map((channel) => policies.isLatest(channel))).toEqual([true, false]);
  expect(channels.map((channel) => policies.historyOf(channel).keys)).toEqual([5, undefined]);
});

test('the first rule that matches decides alone; a later one adds nothing', () => {
  const rules = [
    rule('a.b', { size: 1 }),
    rule('a.*', { size: 2 }, true),
    rule('*', { size: 3, ttl: 3 }, true),
  ];
  expect(policyOf('a.b', rules)).toEqual([1, 1_000, false]);
  expect(policyOf('a.c', rules)).toEqual([2, 1_000, true]);
  expect(policyOf('a', rules)).toEqual([3, 3, true]);
  // A prefix matches at least itself.
  expect(policyOf('a.', rules)).toEqual([2, 1_000, true]);
});
