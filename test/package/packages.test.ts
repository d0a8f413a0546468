import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { documentShell } from '../support/document-shell.ts';
import { Terminal } from '../support/terminal.ts';

/** What `npm pack --json` says about a package. */
interface Packed {
  readonly name: string;
  readonly filename: string;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

const ROOT = join(import.meta.dirname, '../..');
const PROGRAMS = join(ROOT, 'node_modules/.bin');
const run = promisify(execFile);
const { version } = json(join(ROOT, 'package.json')) as { readonly version: string };

const readme = documentShell('README.md', import.meta.filename);
const clientReadme = documentShell('client/README.md', import.meta.filename);

let folder: string;
let sluice: Packed;
let client: Packed;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-package-'));
  cpSync(join(import.meta.dirname, 'consumer'), folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  sluice = await packAndInstall(readme('npm pack'), '../elsewhere');
  client = await packAndInstall(clientReadme('npm pack --workspace @sluice/client'), '../your-project');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the package sluice', () => {
  test('has the built program, the files that it reads, and three documents', () => {
    const files = sluice.files.map(({ path }) => path);
    expect(files.filter((path) => !/^dist\/(client\/)?src\//.test(path)).toSorted()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'dist/package.json',
      'package.json',
    ]);
    expect(files).toEqual(
      expect.arrayContaining([
        'dist/src/bin.js',
        'dist/src/console/index.html',
        'dist/src/log/disk/storage-thread.js',
        'dist/src/redis/lua/append.lua',
      ]),
    );
    expect(endings(files)).toEqual(['LICENSE', 'css', 'html', 'js', 'json', 'lua', 'md', 'svg']);
    console.log(`sluice: ${files.length} files, ${sluice.unpackedSize} bytes`);
  });

  test('is clean for publint', async () => {
    expect(await complaints(sluice)).toEqual([]);
  });

  test('is a program and no library', async () => {
    expect(await checkPackage(packageOf(sluice))).toMatchObject({ types: false });
    await expect(run(process.execPath, ['--eval', 'import "sluice"'], { cwd: folder })).rejects.toThrow(
      'ERR_PACKAGE_PATH_NOT_EXPORTED',
    );
  });

  test('brings the program sluice', async () => {
    const { stdout } = await run(process.execPath, [program(), '--version'], { cwd: folder });
    expect(stdout).toBe(`sluice ${version} (Node ${process.version})\n`);
  });
});

describe('a broker of the package', () => {
  let broker: Broker;

  beforeAll(async () => {
    mkdirSync(join(folder, 'data'));
    const env = { SLUICE_DATA_DIR: join(folder, 'data'), SLUICE_PUBLIC_CHANNELS: '*' };
    broker = await startBroker(env, undefined, [program(), 'serve']);
  });

  afterAll(async () => {
    await broker.stop();
  });

  test('serves the installed client', async () => {
    const { stdout } = await run(process.execPath, ['round-trip.mjs', broker.url, broker.key], {
      cwd: folder,
    });
    expect(stdout).toBe('word one\nmessage two\n');
  });

  test('serves the lines of README.md', async () => {
    const env = { SLUICE_URL: broker.url, SLUICE_KEY: broker.key };
    const terminal = new Terminal({ first: `cd '${folder}'`, env });
    // The second line listens until it is ended.
    await terminal.until(readme('npx sluice subscribe'), 'hello');
    terminal.remove();
  });

  test('serves the commands', async () => {
    const env = { SLUICE_URL: broker.url, SLUICE_KEY: broker.key };
    const command = async (...args: string[]): Promise<string> =>
      (await run(process.execPath, [program(), ...args], { cwd: folder, env })).stdout;
    expect(JSON.parse(await command('publish', 'news', 'hello', '--close', '--json'))).toMatchObject({
      channel: 'news',
    });
    // Ends with the channel.
    expect(await command('subscribe', 'news', '--last', '1', '--json')).toContain('"data":"hello"');
  });

  test('serves the console, and the modules that it imports', async () => {
    const page = await fetch(broker.url);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toContain('text/html');
    for (const path of ['/client/index.js', '/client/connection.js', '/uplot/uPlot.esm.js']) {
      const module = await fetch(`${broker.url}${path}`);
      expect([path, module.status]).toEqual([path, 200]);
      expect(module.headers.get('content-type')).toContain('javascript');
    }
  });
});

describe('the package @sluice/client', () => {
  test('has modules with their declarations, and no dependencies', () => {
    const files = client.files.map(({ path }) => path);
    const others = files.filter((path) => !path.startsWith('dist/'));
    expect(['LICENSE', 'README.md', 'package.json']).toEqual(expect.arrayContaining(others));
    expect(files).toEqual(
      expect.arrayContaining(['LICENSE', 'package.json', 'dist/index.js', 'dist/publisher.js']),
    );
    const modules = files.filter((path) => path.endsWith('.js')).map((path) => path.slice(0, -3));
    const declarations = files.filter((path) => path.endsWith('.d.ts')).map((path) => path.slice(0, -5));
    expect(declarations).toEqual(modules);
    expect(json(join(folder, 'node_modules/@sluice/client/package.json'))).not.toHaveProperty('dependencies');
    console.log(`@sluice/client: ${files.length} files, ${client.unpackedSize} bytes`);
  });

  test('is clean for publint', async () => {
    expect(await complaints(client)).toEqual([]);
  });

  test('is clean for Are the types wrong, as a package of ES modules', async () => {
    const result = await checkPackage(packageOf(client));
    if (!result.types) throw new Error('the package has no types');
    expect(Object.keys(result.entrypoints)).toEqual(['.', './publisher', './package.json']);
    // A package of ES modules leaves out what has none: `require`, and the resolution of TypeScript before `exports`.
    const problems = result.problems.filter(
      (problem) =>
        !('resolutionKind' in problem) || !['node10', 'node16-cjs'].includes(problem.resolutionKind),
    );
    expect(problems).toEqual([]);
  });

  test.each([
    { moduleResolution: 'bundler', lib: ['es2022', 'dom', 'dom.iterable'], types: [], files: ['page.ts'] },
    { moduleResolution: 'nodenext', lib: ['es2022', 'dom', 'dom.iterable'], types: [], files: ['page.ts'] },
    { moduleResolution: 'bundler', lib: ['es2022'], types: ['node'], files: ['page.ts', 'backend.ts'] },
    { moduleResolution: 'nodenext', lib: ['es2022'], types: ['node'], files: ['page.ts', 'backend.ts'] },
  ])('compiles in a strict project: $moduleResolution, $lib, types $types', async ({ files, ...options }) => {
    const name = `tsconfig.${options.moduleResolution}.${options.types.length}.json`;
    const compilerOptions = {
      ...options,
      typeRoots: [join(ROOT, 'node_modules/@types')],
      module: options.moduleResolution === 'bundler' ? 'esnext' : 'nodenext',
      target: 'es2022',
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      noEmit: true,
    };
    writeFileSync(join(folder, name), JSON.stringify({ compilerOptions, files }));
    const { stdout } = await run(join(PROGRAMS, 'tsc'), ['-p', name], { cwd: folder }).catch(
      (error: unknown) => error as { readonly stdout: string },
    );
    expect(stdout).toBe('');
  });
});

/** Runs the lines of a document that pack a package in the repository, and install it. All files go to the folder. */
async function packAndInstall(lines: string, target: string): Promise<Packed> {
  const frugal = '--prefer-offline --no-audit --no-fund --omit=optional --loglevel=error';
  const npm = `npm() {
    case $1 in
      pack) command npm "$@" --json --loglevel=error --pack-destination '${folder}' ;;
      install) command npm "$@" ${frugal} >&2 ;;
    esac
  }`;
  const script = lines.replaceAll('$PWD', folder).replaceAll(target, folder);
  const { stdout } = await run('bash', ['-ec', `${npm}\n${script}`], {
    cwd: ROOT,
    maxBuffer: 8 * 1024 * 1024,
  });
  const [packed] = JSON.parse(stdout.slice(stdout.indexOf('['))) as readonly Packed[];
  if (packed === undefined) throw new Error(`npm packed nothing: ${stdout}`);
  return { ...packed, filename: join(folder, packed.filename) };
}

function program(): string {
  return join(folder, 'node_modules/.bin/sluice');
}

function packageOf({ filename }: Packed): ReturnType<typeof createPackageFromTarballData> {
  return createPackageFromTarballData(readFileSync(filename));
}

/** What publint says, in words. */
async function complaints({ name, filename }: Packed): Promise<readonly (string | undefined)[]> {
  const tarball = new Uint8Array(readFileSync(filename)).buffer;
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
  expect(pkg).toMatchObject({ name });
  return messages.map((message) => formatMessage(message, pkg, { color: false }));
}

function endings(files: readonly string[]): readonly string[] {
  return [...new Set(files.map((path) => path.replace(/.*[./]/, '')))].toSorted();
}

function json(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}
