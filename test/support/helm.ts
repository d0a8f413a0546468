import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments, stringify } from 'yaml';

const run = promisify(execFile);

export const CHART = join(import.meta.dirname, '../../helm/sluice');

/** The path of helm, as the set-up has found it; undefined when there is no helm. */
export const helm: string | undefined = process.env['TEST_HELM'] || undefined;

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly data?: Readonly<Record<string, string>>;
}

type Values = Readonly<Record<string, unknown>>;

/**
 * Renders the chart with these values, as a release called `try`. With `api`, the address of a Kubernetes API, helm
 * looks up existing objects there.
 * @throws Error with helm's message when helm refuses, or when the output is not valid YAML
 */
export async function render(values: Values, api?: string): Promise<readonly Manifest[]> {
  const server =
    api === undefined ? [] : ['--dry-run=server', '--disable-openapi-validation', '--kube-apiserver', api];
  const output = await withValues(values, ['template', 'try', CHART, '--kube-version', '1.34.0', ...server]);
  return parseAllDocuments(output).flatMap((document) => {
    const [problem] = [...document.errors, ...document.warnings];
    if (problem !== undefined) throw problem;
    const manifest = document.toJS() as Manifest | null;
    return manifest === null ? [] : [manifest];
  });
}

/** @throws Error with the findings of `helm lint --strict` */
export async function lint(values: Values): Promise<string> {
  return await withValues(values, ['lint', CHART, '--strict', '--kube-version', '1.34.0']);
}

async function withValues(values: Values, args: readonly string[]): Promise<string> {
  if (helm === undefined) throw new Error('There is no helm.');
  const folder = await mkdtemp(join(tmpdir(), 'sluice-chart-'));
  const file = join(folder, 'values.yaml');
  try {
    await writeFile(file, stringify(values));
    // Uses no configuration of the user who runs the tests: no plugins, and above all no cluster.
    const env = { PATH: process.env['PATH'], HOME: folder, KUBECONFIG: join(folder, 'none') };
    const { stdout } = await run(helm, [...args, '-f', file], { env, maxBuffer: 16 * 1024 ** 2 });
    return stdout;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
