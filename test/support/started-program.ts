import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export const MAIN = join(import.meta.dirname, '../../src/main.ts');
/** What starts a broker or another command: `npm test` bundles {@link MAIN} first (`provision-broker`). */
export const PROGRAM = process.env['TEST_BROKER'] ?? MAIN;
/** Node keeps the compiled modules there, which makes a start quicker. */
export const CACHE = join(import.meta.dirname, '../../node_modules/.cache/sluice-tests');

/** A process of the program. */
export interface StartedProgram {
  readonly child: ChildProcessWithoutNullStreams;
  /** Resolves when the output, of stdout and stderr together, has the text. Rejects when it ends without it. */
  until(text: string): Promise<void>;
  /** The exit code, and all output. */
  end(): Promise<{ readonly code: number | null; readonly output: string }>;
}

/** Starts a program in a process of its own, with the given environment and little else. */
export function startProgram(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): StartedProgram {
  const child = spawn(command, args, {
    env: { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE: CACHE, TERM: 'xterm', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let output = '';
  let ended = false;
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      child.emit('said');
    });
  // The program may end before it has read its input.
  child.stdin.on('error', () => undefined);
  const exit = once(child, 'close') as Promise<[code: number | null]>;
  child.once('close', () => {
    ended = true;
    child.emit('said');
  });
  return {
    child,
    async until(text) {
      while (!output.includes(text)) {
        if (ended) throw new Error(`The program ended without ${text}:\n${output}`);
        await once(child, 'said');
      }
    },
    async end() {
      const [code] = await exit;
      return { code, output };
    },
  };
}

/** Starts `sluice` with these arguments. */
export function startSluice(args: readonly string[], env: Readonly<Record<string, string>>): StartedProgram {
  return startProgram(process.execPath, [MAIN, ...args], env);
}

/** Starts `sluice` on a terminal of its own, which `script` makes. */
export function startOnTerminal(line: string, env: Readonly<Record<string, string>>): StartedProgram {
  return startProgram('script', ['-qec', `'${process.execPath}' '${MAIN}' ${line}`, '/dev/null'], env);
}
