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

test('promtool finds no fault in the rules and the configuration', async () => {
  const config = new URL('../../deploy/prometheus/prometheus.yml', import.meta.url).pathname;
  await run('promtool', ['check', 'rules', RULES_FILE]);
  await run('promtool', ['check', 'config', '--syntax-only', config]);
});

test('each alert fires when it should, and only then', async () => {
  const { stdout } = await run('promtool', ['test', 'rules', RULES_TEST_FILE]);
  expect(stdout).toContain('SUCCESS');
});

test("promtool finds no fault in the metrics' names and units", async () => {
  const broker = await startBroker();
  const metrics = await (await fetch(`${broker.url}/metrics`)).text();
  await broker.kill();
  const promtool = spawn('promtool', ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'inherit'] });
  promtool.stdin.end(metrics);
  const [said] = await Promise.all([text(promtool.stdout), once(promtool, 'close')]);
  expect([said, promtool.exitCode]).toEqual(['', 0]);
});

const alerts = alertRules();

test('there are more than ten alerts', () => expect(alerts.length).toBeGreaterThan(10));

test.for(alerts)('$alert has test cases in which it fires, and in which it does not', ({ alert }) => {
  const asked = expectedAlerts().filter(({ alertname }) => alertname === alert);
  expect(asked.some(({ exp_alerts: expected }) => expected.length > 0)).toBe(true);
  expect(asked.some(({ exp_alerts: expected }) => expected.length === 0)).toBe(true);
});

test.for(alerts)(
  '$alert has a summary, a severity and a link to the runbook',
  ({ alert, labels, annotations }) => {
    expect(annotations['summary']).toMatch(/\.$/);
    expect(annotations['description']).toMatch(/\.$/);
    expect(annotations['runbook_url']).toBe(`docs/operations.md#${alert.toLowerCase()}`);
    expect(['critical', 'warning']).toContain(labels['severity']);
  },
);

test('the runbook has exactly one section for each alert, in their order, with what to do', () => {
  const runbook = operations.split(/^(?=## )/m).find((part) => part.startsWith('## Runbook\n')) ?? '';
  const sections = runbook.split(/^### /m).slice(1);
  expect(sections.map((section) => section.split('\n', 1).join(''))).toEqual(
    alerts.map(({ alert }) => alert),
  );
  for (const section of sections) expect(section.length, section).toBeGreaterThan(200);
});
