import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { ROOT } from './document-shell.ts';
import { killGroup } from './kill-group.ts';
import { CACHE } from './started-program.ts';

/** What the lines of a document leave in the folder of the project. A folder of a test begins without them. */
const LEFTOVERS = new Set(['.git', '.publish-key', 'data', 'restored', 'backup.db', 'move.progress']);

interface TerminalOptions {
  /** What the test has in the place of the document's ports, hosts and folders. Applied in order. */
  readonly replace?: readonly (readonly [from: string, to: string])[];
  /** Lines that run before all others in the same shell, such as those that set variables. */
  readonly first?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The folder looks like a clone of the project: `npm start` works. Otherwise it is empty. */
  readonly clone?: boolean;
}

/**
 * A folder in which a test runs the lines of documents as people paste them, each block in a bash of its own. Call
 * `killAll` after each test, and `remove` at the end.
 */
export class Terminal {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-lines-'));
  readonly #options: TerminalOptions;
  readonly #running = new Set<ChildProcess>();
  readonly #brokers = new Set<ChildProcess>();

  constructor(options: TerminalOptions = {}) {
    this.#options = options;
    if (options.clone !== true) return;
    const names = readdirSync(ROOT).filter((name) => !LEFTOVERS.has(name));
    for (const name of names) symlinkSync(join(ROOT, name), join(this.folder, name));
  }

  /** Starts the lines. They get SIGKILL, with all their processes, from `killAll`. */
  start(lines: string): ChildProcess {
    const { replace = [], first = '', env = {} } = this.#options;
    const script = replace.reduce((text, [from, to]) => text.replaceAll(from, to), `${first}\n${lines}`);
    const path = `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`;
    const child = spawn('bash', ['-c', script], {
      cwd: this.folder,
      env: { ...process.env, PATH: path, NODE_COMPILE_CACHE: CACHE, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    return child;
  }

  /** Runs the lines to their end, and returns what they print to stdout. Throws when they fail. */
  async run(lines: string): Promise<string> {
    const child = this.start(lines);
    const output = outputOf(child);
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`${lines}\nended with ${code}:\n${output.stdout}\n${output.stderr}`);
    return output.stdout;
  }

  /** Starts lines that do not end by themselves. Resolves with what they have printed once it has the text. */
  async until(lines: string, text: string): Promise<string> {
    const child = this.start(lines);
    const output = outputOf(child);
    const ended = once(child, 'close').then(() => true);
    while (!output.stdout.includes(text)) {
      const more = child.stdout === null ? ended : once(child.stdout, 'data').then(() => false);
      if ((await Promise.race([ended, more])) && !output.stdout.includes(text))
        throw new Error(`${lines}\nended without ${text}:\n${output.stdout}\n${output.stderr}`);
    }
    return output.stdout;
  }

  /** Starts lines that start a broker, which `killAll` leaves alone. Resolves once it listens, with a function that kills it. */
  async serve(lines: string): Promise<() => Promise<void>> {
    const before = new Set(this.#running);
    await this.until(lines, '"sluice is listening"');
    const child = [...this.#running].find((one) => !before.has(one));
    if (child === undefined) throw new Error('The broker has ended.');
    this.#running.delete(child);
    this.#brokers.add(child);
    return async () => {
      const ended = once(child, 'close');
      this.#kill(this.#brokers, child);
      await ended;
    };
  }

  /** Ends everything that was started, but no brokers. */
  killAll(): void {
    for (const child of this.#running) this.#kill(this.#running, child);
  }

  /** Ends everything, and removes the folder. */
  remove(): void {
    this.killAll();
    for (const child of this.#brokers) this.#kill(this.#brokers, child);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #kill(children: Set<ChildProcess>, child: ChildProcess): void {
    children.delete(child);
    killGroup(child);
  }
}

/** What the process prints, as far as it has come. */
function outputOf(child: ChildProcess): { readonly stdout: string; readonly stderr: string } {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.setEncoding('utf8').on('data', (text: string) => (output[name] += text));
  return output;
}
