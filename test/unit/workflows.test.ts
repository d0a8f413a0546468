import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const run = promisify(execFile);
const root = new URL('../../', import.meta.url);
const folder = new URL('.github/workflows/', root);

interface Step {
  readonly uses?: string;
  readonly if?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  /** The workflow that this job calls; the time limits are in its jobs. */
  readonly uses?: string;
  readonly permissions?: unknown;
  readonly 'timeout-minutes'?: number;
  readonly steps?: readonly Step[];
}

interface Workflow {
  readonly permissions: unknown;
  readonly concurrency?: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

const workflows = readdirSync(folder).map((file) => {
  const text = readFileSync(new URL(file, folder), 'utf8');
  const workflow = parse(text) as Workflow;
  return { file, text, workflow, jobs: Object.values(workflow.jobs) };
});

test('there are workflows for tests, the package, the image, the chart and releases', () => {
  expect(workflows.map(({ file }) => file)).toEqual([
    'chart.yml',
    'image.yml',
    'package.yml',
    'release.yml',
    'test.yml',
  ]);
});

test.for(workflows)('$file pins each action to a commit, with its version in a comment', ({ text }) => {
  const used = [...text.matchAll(/^.*\buses: (.+)$/gm)].map(([, action = '']) => action);
  expect(used.length).toBeGreaterThan(0);
  const foreign = used.filter((action) => !action.startsWith('./'));
  for (const action of foreign) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
});

test('an action has the same version in all workflows', () => {
  const used = workflows.flatMap(({ text }) => [...text.matchAll(/uses: ([\w-]+\/[\w-]+)@(.+)$/gm)]);
  const versions = Map.groupBy(used, ([, action]) => action);
  for (const [action, uses] of versions) expect(new Set(uses.map(([, , at]) => at)).size, action).toBe(1);
});

test.for(workflows)(
  '$file grants permissions only to single jobs, and every job has a time limit',
  ({ workflow, jobs }) => {
    expect(workflow.permissions).toEqual({});
    expect(workflow.concurrency).toBeDefined();
    for (const job of jobs) {
      expect(job.permissions).toBeTypeOf('object');
      if (job.uses === undefined) expect(job['timeout-minutes']).toBeGreaterThan(0);
    }
  },
);

test.for(workflows)(
  '$file keeps no token after checkout, and puts no foreign text into a shell',
  ({ jobs }) => {
    for (const step of jobs.flatMap(({ steps }) => steps ?? [])) {
      if (step.uses?.startsWith('actions/checkout@') === true)
        expect(step.with?.['persist-credentials']).toBe(false);
      expect(step.run ?? '').not.toContain('${{');
    }
  },
);

test('a change is tested with .ci/run, on Node 24 and 26', () => {
  const { jobs = [], text = '' } = workflows.find(({ file }) => file === 'test.yml') ?? {};
  expect(jobs.flatMap(({ steps }) => steps ?? []).flatMap((step) => step.run ?? [])).toEqual(['.ci/run']);
  expect([...text.matchAll(/major: (\d+), node: (\w+)/g)].map(([, major, node]) => [major, node])).toEqual([
    ['26', 'pinned'],
    ['24', 'own'],
  ]);
});

test('the screenshots of a test run are kept, also when a test has failed', () => {
  const { jobs = [] } = workflows.find(({ file }) => file === 'test.yml') ?? {};
  const steps = jobs.flatMap((job) => job.steps ?? []);
  const upload = steps.find(({ uses }) => uses?.startsWith('actions/upload-artifact@'));
  expect(upload?.if).toBe('${{ !cancelled() }}');
  expect(upload?.with?.['path']).toBe('test-results/screenshots');
  // A name is free for one artefact of a run.
  expect(upload?.with?.['name']).toContain('${{ matrix.major }}');
});

test('the notes of a release come from CHANGELOG.md, and a release without notes fails', async () => {
  const script = new URL('.ci/release-notes', root).pathname;
  const { stdout } = await run(script, ['Unreleased']);
  const changelog = readFileSync(new URL('CHANGELOG.md', root), 'utf8');
  expect(stdout).toContain('### Added');
  expect(changelog).toContain(stdout.trim());
  await expect(run(script, ['99.0.0'])).rejects.toThrow('CHANGELOG.md has no section "## 99.0.0"');
});
