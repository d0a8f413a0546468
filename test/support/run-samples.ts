import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterExit } from './after-exit.ts';
import { killGroup } from './kill-group.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The languages whose samples are programs. */
export type SampleLanguage = 'curl' | 'fetch' | '@sluice/client' | 'Python' | 'sluice';

/** Runs code samples as a reader would: in a folder that has `@sluice/client`, with `sluice` in the PATH. */
export class SampleRunner implements AsyncDisposable {
  readonly #folder: string;
  readonly #env: Readonly<Record<string, string>>;
  #files = 0;

  private constructor(folder: string, env: Readonly<Record<string, string>>) {
    this.#folder = folder;
    this.#env = env;
  }

  /** `env` is added to the environment of the tests. */
  static async start(env: Readonly<Record<string, string>>): Promise<SampleRunner> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-samples-'));
    const client = join(folder, 'node_modules/@sluice/client');
    await mkdir(client, { recursive: true });
    await symlink(join(ROOT, 'client/src'), join(client, 'src'));
    const exports = { '.': './src/index.ts', './publisher': './src/publisher.ts' };
    await writeFile(join(client, 'package.json'), JSON.stringify({ type: 'module', exports }));
    const program = `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'src/main.ts')}' "$@"\n`;
    await writeFile(join(folder, 'sluice'), program, { mode: 0o755 });
    // What npx does with an installed package, without the time that npm takes.
    await writeFile(join(folder, 'npx'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
    const path = `${folder}${delimiter}${process.env['PATH']}`;
    return new SampleRunner(folder, { ...process.env, ...env, PATH: path });
  }

  /**
   * Runs samples of one language, one after the other, and returns what they print. Rejects when a sample fails. A sample that
   * does not end by itself is killed when it has printed `until`.
   */
  async run(language: SampleLanguage, samples: readonly string[], until?: string): Promise<string> {
    if (language === 'curl' || language === 'sluice')
      return await this.#spawn('sh', ['-e', '-c', samples.join('\n')], until);
    const isPython = language === 'Python';
    const files = await Promise.all(samples.map((code) => this.#write(code, isPython ? 'py' : 'mjs')));
    // One process for all samples: a start takes more time than a sample.
    const runAll = isPython
      ? 'import runpy, sys\nfor file in sys.argv[1:]: runpy.run_path(file)'
      : 'for (const file of process.argv.slice(2)) await import(file);';
    const start = await this.#write(runAll, isPython ? 'py' : 'mjs');
    return await this.#spawn(
      isPython ? 'python3' : process.execPath,
      [...(isPython ? ['-u'] : []), start, ...files],
      until,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #write(code: string, extension: string): Promise<string> {
    const file = join(this.#folder, `sample-${++this.#files}.${extension}`);
    await writeFile(file, code);
    return file;
  }

  #spawn(program: string, args: readonly string[], until: string | undefined): Promise<string> {
    // A group of its own, so that the programs that a shell starts are killed, too.
    const child = spawn(program, args, { cwd: this.#folder, env: this.#env, detached: true });
    const callOff = afterExit('kill -9 -- "-$1"', String(child.pid));
    let output = '';
    let errors = '';
    return new Promise((resolve, reject) => {
      let killed = false;
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (killed || until === undefined || !output.includes(until)) return;
        killed = true;
        killGroup(child);
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
      child.once('error', reject);
      child.once('close', (code) => {
        callOff();
        if (killed || (code === 0 && until === undefined)) resolve(output);
        else reject(new Error(`${program} ended with ${code}:\n${errors}\n${output}\n${args.join('\n')}`));
      });
    });
  }
}
