import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterExit } from './after-exit.ts';

/** A program of `examples/` that runs until it is killed, and prints one JSON value a line. */
export interface RunningExample {
  /** The next value; rejects with all output when the program ends before. */
  next(): Promise<unknown>;
  /** Everything the program has written to stderr so far. */
  readonly stderr: string;
  /** Resolves with the exit code, or null when the program was killed. */
  readonly exit: Promise<number | null>;
  /** Sends the signal, SIGKILL by default, and waits for the exit. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts `command` with `env` in addition to the environment of the tests. Kill it after the test. */
export function runExample(
  [program = '', ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
): RunningExample {
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const callOff = afterExit('kill -9 "$1"', String(child.pid));
  const values: unknown[] = [];
  const waiting = new Set<() => void>();
  let taken = 0;
  let ended = false;
  let stderr = '';
  const wake = (): void => waiting.forEach((check) => check());
  // Not with node:readline: U+2028 in a JSON string is the end of a line for it.
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    values.push(...lines.map((line) => JSON.parse(line) as unknown));
    wake();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const exit = once(child, 'close').then(([code]) => {
    callOff();
    ended = true;
    wake();
    return code as number | null;
  });
  return {
    get stderr() {
      return stderr;
    },
    exit,
    next: () =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (taken < values.length) resolve(values[taken++]);
          else if (ended) reject(new Error(`it ended and said:\n${stderr}`));
          else return;
          waiting.delete(check);
        };
        waiting.add(check);
        check();
      }),
    async kill(signal = 'SIGKILL') {
      child.kill(signal);
      await exit;
    },
  };
}
