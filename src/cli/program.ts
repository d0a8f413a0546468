import { Command, CommanderError } from 'commander';
import type { Help } from 'commander';
import { stripVTControlCharacters } from 'node:util';
import { packageVersion } from '../config/package-version.ts';
import { CliError } from './cli-error.ts';
import type { CliContext, CliOutput } from './context.ts';
import { displayWidth, wrap } from './terminal-text.ts';

/** Makes a command. The command is a plain `Command` of commander; the program gives it its outputs and its help. */
type CommandMaker = (context: CliContext) => Command;

/** The commands under one heading of the help. */
export interface CommandGroup {
  readonly heading: string;
  readonly commands: readonly CommandMaker[];
}

const DESCRIPTION =
  'A broker for Server-Sent Events: backends publish events with a POST, pages listen with an EventSource, and every event arrives in order, once.';

const VARIABLES: readonly (readonly [name: string, meaning: string])[] = [
  ['SLUICE_URL', 'the broker (http://127.0.0.1:3000)'],
  ['SLUICE_KEY', 'a publish key, for publishing and for looking in'],
  ['SLUICE_TOKEN', "a subscriber's token, for channels that are not public"],
];

/** A description has at least this many columns beside its term. With fewer it stands below the term. */
const MIN_DESCRIPTION_WIDTH = 28;
/** Longer lines are hard to read. */
const MAX_HELP_WIDTH = 110;

/** The whole program, with all commands. */
export function createProgram(context: CliContext, groups: readonly CommandGroup[]): Command {
  const { stdout, stderr } = context;
  const program = new Command('sluice')
    .description(DESCRIPTION)
    .version(`sluice ${packageVersion()} (Node ${process.version})`, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .exitOverride()
    .showHelpAfterError('Run "sluice help" for all commands.')
    .configureHelp(helpOn(stdout))
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      outputError: (text, write) =>
        write(withoutValues(text).replace(/^error: /, `${stderr.style('red', 'sluice:')} `)),
      getOutHelpWidth: () => helpWidth(stdout),
      getErrHelpWidth: () => helpWidth(stderr),
      // Styles depend on the output already.
      getOutHasColors: () => true,
      getErrHasColors: () => true,
    });
  for (const { heading, commands } of groups)
    for (const make of commands) {
      const command = make(context).helpGroup(heading);
      inherit(command, program);
      program.addCommand(command);
    }
  // The help command comes last.
  program
    .commandsGroup(groups.at(-1)?.heading ?? '')
    .helpCommand('help [command...]', 'show the help of a command')
    .addHelpText('after', () => variables(stdout));
  return examples(program, context, [
    ['start a broker, which prints its address', 'sluice serve'],
    ['listen, in a second terminal', 'sluice subscribe news'],
    ['publish, in a third one', `sluice publish news '{"title":"Hello"}'`],
    ['what a command can do', 'sluice help publish'],
  ]);
}

/**
 * Runs the command that the arguments name.
 * @returns the exit code: 0, 1 failed or refused, 2 wrong use, 130 after Ctrl-C, 143 after SIGTERM
 */
export async function runProgram(
  args: readonly string[],
  context: CliContext,
  groups: readonly CommandGroup[],
): Promise<number> {
  const program = createProgram(context, groups);
  try {
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync(helpAsOption(args, program), { from: 'user' });
    return context.signal.aborted ? interruptionCode(context) : 0;
  } catch (error) {
    // Commander has printed its message. Its own errors are wrong uses, apart from help and version.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof CliError) {
      if (error.message !== '')
        await context.stderr.line(`${context.stderr.style('red', 'sluice:')} ${error.message}`);
      return error.exitCode;
    }
    if (context.signal.aborted) return interruptionCode(context);
    throw error;
  }
}

/**
 * Commander's own `help` knows no command below another, such as `help token mint`, and takes a wrong name for none. A wrong name
 * is left to commander, which says so: without `--help`, and only where it would have to be a command.
 */
function helpAsOption(args: readonly string[], program: Command): readonly string[] {
  const [first, ...names] = args;
  if (first !== 'help' || names.length === 0 || names[0]?.startsWith('-')) return args;
  let command = program;
  for (const [at, name] of names.entries()) {
    if (command.commands.length === 0) break;
    const below = command.commands.find((one) => one.name() === name);
    if (below === undefined) return names.slice(0, at + 1);
    command = below;
  }
  return [...names, '--help'];
}

/** Adds examples to the help of a command: what each does, and the line to type. */
export function examples(
  command: Command,
  { stdout }: CliContext,
  lines: readonly (readonly [meaning: string, line: string])[],
): Command {
  return command.addHelpText('after', () =>
    [
      '',
      stdout.style('bold', 'Examples:'),
      ...lines.flatMap(([meaning, line]) => [
        ...wrap(meaning, helpWidth(stdout) - 4).map((text) => stdout.style('dim', `  # ${text}`)),
        `  ${stdout.style('cyan', line)}`,
      ]),
    ].join('\n'),
  );
}

/** Removes from commander's messages what may be a misplaced key or token. */
function withoutValues(message: string): string {
  return message
    .replace(/unknown option '(--[^'=]+|-[^'-])[^]*'/, "unknown option '$1'")
    .replace(/(?<=too many arguments[^]* but got \d+):[^]*$/, '.\n');
}

/** Gives a command, and the commands below it, the outputs and the help of the program. */
function inherit(command: Command, parent: Command): void {
  command
    .copyInheritedSettings(parent)
    .helpOption('-h, --help', 'show this help')
    .showHelpAfterError(`Run "sluice help ${pathOf(command, parent)}" for help and examples.`);
  for (const below of command.commands) inherit(below, command);
}

function pathOf(command: Command, parent: Command): string {
  return parent.name() === 'sluice' ? command.name() : `${parent.name()} ${command.name()}`;
}

function helpWidth(output: CliOutput): number {
  return Math.min(output.columns ?? MAX_HELP_WIDTH, MAX_HELP_WIDTH);
}

function interruptionCode({ signal }: CliContext): number {
  return signal.reason instanceof CliError ? signal.reason.exitCode : 1;
}

function variables(output: CliOutput): string {
  const width = helpWidth(output);
  return [
    '',
    output.style('bold', 'Environment:'),
    ...VARIABLES.map(([name, meaning]) => item(name, output.style('cyan', name), 12, meaning, width)),
  ].join('\n');
}

/** Commander's help, with colours, and for terminals of any width. */
function helpOn(output: CliOutput): Partial<Help> {
  return {
    minWidthToWrap: 1,
    styleTitle: (text) => output.style('bold', text),
    styleCommandText: (text) => output.style('cyan', text),
    styleSubcommandText: (text) => output.style('cyan', text),
    styleOptionText: (text) => output.style('green', text),
    styleArgumentText: (text) => output.style('yellow', text),
    subcommandTerm: (command) =>
      [
        command.name(),
        ...command.registeredArguments.map((argument) => {
          const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
          return argument.required ? `<${name}>` : `[${name}]`;
        }),
      ].join(' '),
    formatItem(term, termWidth, description, helper) {
      return item(
        stripVTControlCharacters(term),
        term,
        termWidth,
        description,
        helper.helpWidth ?? MAX_HELP_WIDTH,
      );
    },
  };
}

function item(plain: string, styled: string, termWidth: number, description: string, width: number): string {
  const room = width - termWidth - 4;
  if (room >= MIN_DESCRIPTION_WIDTH) {
    const padding = ' '.repeat(Math.max(0, termWidth - displayWidth(plain)) + 2);
    return `  ${styled}${padding}${wrap(description, room).join(`\n${' '.repeat(termWidth + 4)}`)}`;
  }
  return [`  ${styled}`, ...wrap(description, width - 6).map((line) => `      ${line}`)].join('\n');
}
