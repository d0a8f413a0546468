import { PassThrough } from 'node:stream';
import { COMMANDS } from '../../src/cli/commands/commands.ts';
import { CliOutput } from '../../src/cli/context.ts';
import { runProgram } from '../../src/cli/program.ts';

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** The input; a terminal at which nobody types when undefined. */
  readonly input?: string;
  /** The width of the terminal; both outputs are pipes when undefined. */
  readonly columns?: number;
  readonly signal?: AbortSignal;
}

export interface ProgramResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of the program in this process, with the given environment and no other variables. */
export async function runSluice(
  args: readonly string[],
  { env = {}, input, columns, signal = new AbortController().signal }: ProgramOptions = {},
): Promise<ProgramResult> {
  const stdin = Object.assign(new PassThrough(), { isTTY: input === undefined });
  if (input !== undefined) stdin.end(input);
  const [stdout, stderr] = [recorded(columns), recorded(columns)];
  const context = {
    env,
    stdin: stdin as unknown as NodeJS.ReadStream,
    stdout: new CliOutput(() => stdout.stream),
    stderr: new CliOutput(() => stderr.stream),
    signal,
  };
  const code = await runProgram(args, context, COMMANDS);
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

function recorded(columns: number | undefined) {
  let text = '';
  const stream = new PassThrough();
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return {
    stream: Object.assign(stream, columns !== undefined && { isTTY: true, columns }),
    text: () => text,
  };
}
