import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

/** An alert that a test case in sluice.rules.test.yml expects. */
interface ExpectedAlert {
  readonly alertname: string;
  readonly exp_alerts: readonly unknown[];
}

export const RULES_FILE = new URL('../../deploy/prometheus/sluice.rules.yml', import.meta.url).pathname;
export const RULES_TEST_FILE = RULES_FILE.replace('.rules.yml', '.rules.test.yml');

export function allRules(): readonly (AlertRule | RecordingRule)[] {
  const { groups } = parse(readFileSync(RULES_FILE, 'utf8')) as {
    groups: { rules: (AlertRule | RecordingRule)[] }[];
  };
  return groups.flatMap(({ rules }) => rules);
}

export function alertRules(): readonly AlertRule[] {
  return allRules().filter((rule) => 'alert' in rule);
}

export function expectedAlerts(): readonly ExpectedAlert[] {
  const { tests } = parse(readFileSync(RULES_TEST_FILE, 'utf8')) as {
    tests: { alert_rule_test?: ExpectedAlert[] }[];
  };
  return tests.flatMap(({ alert_rule_test: asked }) => asked ?? []);
}
