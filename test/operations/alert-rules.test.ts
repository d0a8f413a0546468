import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { RULES_FILE, RULES_TEST_FILE, alertRules, expectedAlerts } from '../support/alert-rules.ts';
import { startBroker } from '../support/broker.ts';

const run = promisify(execFile);
const operations = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');

test('promtool finds nothing against the rules and the configuration', async () => {
  const config = new URL('../../deploy/prometheus/prometheus.yml', import.meta.url).pathname;
  await run('promtool', ['check', 'rules', RULES_FILE]);
  await run('promtool', ['check', 'config', '--syntax-only', config]);
});

test('each alert fires when it should, and only then', async () => {
  const { stdout } = await run('promtool', ['test', 'rules', RULES_TEST_FILE]);
  expect(stdout).toContain('SUCCESS');
});

test('promtool finds nothing against the names and units of the metrics', async () => {
  const broker = await startBroker();
  const metrics = await (await fetch(`${broker.url}/metrics`)).text();
  await broker.kill();
  const promtool = spawn('promtool', ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'inherit'] });
  promtool.stdin.end(metrics);
  const [said] = await Promise.all([text(promtool.stdout), once(promtool, 'close')]);
  expect([said, promtool.exitCode]).toEqual(['', 0]);
});

const alerts = alertRules();

test('there are alerts', () => expect(alerts.length).toBeGreaterThan(10));

test.for(alerts)('$alert has a test of when it fires and of when it does not', ({ alert }) => {
  const asked = expectedAlerts().filter(({ alertname }) => alertname === alert);
  expect(asked.some(({ exp_alerts: expected }) => expected.length > 0)).toBe(true);
  expect(asked.some(({ exp_alerts: expected }) => expected.length === 0)).toBe(true);
});

test.for(alerts)(
  '$alert says what is wrong, how much it matters, and where to read on',
  ({ alert, labels, annotations }) => {
    expect(annotations['summary']).toMatch(/\.$/);
    expect(annotations['description']).toMatch(/\.$/);
    expect(annotations['runbook_url']).toBe(`docs/operations.md#${alert.toLowerCase()}`);
    expect(['critical', 'warning']).toContain(labels['severity']);
  },
);

test('the runbook has a section for each alert, in their order, that says what to do, and no other', () => {
  const runbook = operations.split(/^(?=## )/m).find((part) => part.startsWith('## Runbook\n')) ?? '';
  const sections = runbook.split(/^### /m).slice(1);
  expect(sections.map((section) => section.split('\n', 1).join(''))).toEqual(
    alerts.map(({ alert }) => alert),
  );
  for (const section of sections) expect(section.length, section).toBeGreaterThan(200);
});
