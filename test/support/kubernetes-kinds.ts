import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Manifest } from './helm.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');

/** Packages with the kinds of these groups; all the others are Kubernetes' own. */
const PACKAGES: Readonly<Record<string, string>> = {
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};

interface Model {
  /** @throws Error that says what is missing or of the wrong form */
  validate(): void;
}

/** The module of a kind: its type, `I<kind>`, and its class. */
function moduleOf({ apiVersion, kind }: Manifest): string {
  const [group = ''] = apiVersion.split('/');
  return `${PACKAGES[group] ?? 'kubernetes-models'}/${apiVersion}/${kind}`;
}

/** Checks required fields, forms and ranges, by the validator of the manifest's kind. */
export async function validate(manifest: Manifest): Promise<void> {
  const kinds = (await import(moduleOf(manifest))) as Record<string, new (data: Manifest) => Model>;
  const Kind = kinds[manifest.kind];
  if (Kind === undefined) throw new Error(`There is no kind ${manifest.kind} in ${manifest.apiVersion}.`);
  new Kind(manifest).validate();
}

/**
 * Checks that no field is unknown, which the validators let pass: has the compiler hold each manifest, as a literal,
 * against the type of its kind. Gives what it complains about, nothing when all is well.
 */
export async function unknownFields(manifests: readonly Manifest[], name: string): Promise<string> {
  const lines = manifests.map(
    (manifest, index) =>
      `import type { I${manifest.kind} as I${index} } from '${moduleOf(manifest)}';\n` +
      `export const m${index} = ${JSON.stringify(manifest)} satisfies I${index};\n`,
  );
  const folder = join(ROOT, 'node_modules/.cache/chart');
  await mkdir(folder, { recursive: true });
  const file = join(folder, `${name}.ts`);
  await writeFile(file, lines.join(''));
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--ignoreConfig', '--types', ''];
  const modules = ['--target', 'esnext', '--module', 'esnext', '--moduleResolution', 'bundler'];
  try {
    await run(join(ROOT, 'node_modules/.bin/tsc'), [...options, ...modules, file]);
    return '';
  } catch (error) {
    return (error as { readonly stdout: string }).stdout;
  }
}
