import { Writable } from 'node:stream';
import type { Command } from 'commander';
import { COMMANDS } from '../src/cli/commands/commands.ts';
import { CliOutput } from '../src/cli/context.ts';
import { createProgram } from '../src/cli/program.ts';

/** A section for each command, with the help that it prints, but for the options that say where the broker is. */
export function commandReference(): string {
  let text = '';
  const output = new CliOutput(
    () =>
      new Writable({
        write(chunk, _encoding, done) {
          text += String(chunk);
          done();
        },
      }),
  );
  const context = {
    env: {},
    stdin: process.stdin,
    stdout: output,
    stderr: output,
    signal: new AbortController().signal,
  };
  const section = (command: Command, path: string): string[] => {
    if (command.commands.length > 0)
      return command.commands.flatMap((below) => section(below, `${path} ${below.name()}`));
    text = '';
    command.outputHelp();
    const help = text.replace(/^Broker:\n(?: .*\n)+\n?/m, '').trimEnd();
    return [`### ${path}\n\n\`\`\`\n${help}\n\`\`\``];
  };
  const { commands } = createProgram(context, COMMANDS);
  return commands.flatMap((command) => section(command, `sluice ${command.name()}`)).join('\n\n');
}
