import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Manifest } from './helm.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');

/** The packages for the kinds of these groups. All other kinds are Kubernetes' own. */
const PACKAGES: Readonly<Record<string, string>> = {
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};

interface Model {
  /** @throws Error that names what is missing or malformed */
  validate(): void;
}

/** Returns the path of the module that exports the type `I<kind>` and the class of a kind. */
function moduleOf({ apiVersion, kind }: Manifest): string {
  const [group = ''] = apiVersion.split('/');
  return `${PACKAGES[group] ?? 'kubernetes-models'}/${apiVersion}/${kind}`;
}

/** Checks required fields, formats and ranges, with the validator of the manifest's kind. */
export async function validate(manifest: Manifest): Promise<void> {
  const kinds = (await import(moduleOf(manifest))) as Record<string, new (data: Manifest) => Model>;
  const Kind = kinds[manifest.kind];
  if (Kind === undefined) throw new Error(`There is no kind ${manifest.kind} in ${manifest.apiVersion}.`);
  new Kind(manifest).validate();
}

/**
 * Finds unknown fields, which the validators accept: lets the compiler check each manifest, as a literal, against the
 * type of its kind. Returns the compiler's errors, or nothing when there are none.
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
