import type { Argument, Command, Option } from 'commander';

/** The shells that a completion script is made for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** A value that an option or an argument takes. */
type Value = { readonly kind: 'file' } | { readonly kind: 'text' } | { readonly choices: readonly string[] };

interface OptionEntry {
  /** Such as `-f` and `--file`. */
  readonly names: readonly string[];
  readonly description: string;
  /** Undefined for an option without a value. */
  readonly value: Value | undefined;
}

/** A command, or the program itself. */
interface CommandEntry {
  /** `` for the program, `/token/mint` for a command of a command. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly OptionEntry[];
  /** The value of the first argument, when the command has one that can be completed. */
  readonly argument: Value | undefined;
}

/** Makes a script from the program's commands and options. Nothing of the program runs when the shell completes a word. */
export function completionScript(program: Command, shell: Shell): string {
  const entries = entriesOf(program, '');
  switch (shell) {
    case 'bash':
      return bashScript(entries);
    case 'zsh':
      return zshScript(entries);
    case 'fish':
      return fishScript(entries);
  }
}

function entriesOf(command: Command, path: string): CommandEntry[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command);
  const argument = command.registeredArguments[0];
  const entry: CommandEntry = {
    path,
    commands: commands.map((one) => ({ name: one.name(), description: oneLine(help.subcommandDescription(one)) })),
    options: help.visibleOptions(command).map((option) => ({
      names: [option.short, option.long].filter((name) => name !== undefined),
      description: oneLine(option.description),
      value: option.required || option.optional ? valueOf(option, option.flags) : undefined,
    })),
    argument: argument === undefined ? undefined : valueOf(argument, argument.name()),
  };
  const below = commands.filter((one) => command.commands.includes(one));
  return [entry, ...below.flatMap((one) => entriesOf(one, `${path}/${one.name()}`))];
}

/** @param text the flags of an option or the name of an argument: `FILE` in it means the name of a file */
function valueOf({ argChoices }: Option | Argument, text: string): Value {
  if (argChoices !== undefined) return { choices: argChoices };
  return { kind: /\bFILE\b/i.test(text) ? 'file' : 'text' };
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

/** The paths of all commands, for the loop that finds the command in the words before the cursor. */
function pathsOf(entries: readonly CommandEntry[]): string[] {
  return entries.map(({ path }) => path).filter((path) => path !== '');
}

/** `<path> <option>` of all options whose value the filter accepts. */
function optionsWith(entries: readonly CommandEntry[], accepts: (value: Value) => boolean): string[] {
  return entries.flatMap(({ path, options }) =>
    options
      .filter(({ value }) => value !== undefined && accepts(value))
      .flatMap(({ names }) => names.map((name) => `${path} ${name}`)),
  );
}

function isFile(value: Value): boolean {
  return 'kind' in value && value.kind === 'file';
}

function isText(value: Value): boolean {
  return 'kind' in value && value.kind === 'text';
}

function choicesOf(value: Value | undefined): readonly string[] {
  return value !== undefined && 'choices' in value ? value.choices : [];
}

/** The branches of a `case`, in bash and in zsh. */
function branches(entries: readonly CommandEntry[], text: string, file: string, choice: (words: string) => string): string {
  const lines: string[] = [];
  const add = (patterns: readonly string[], action: string): void => {
    if (patterns.length > 0) lines.push(`    ${patterns.map(quote).join('|')}) ${action}; return ;;`);
  };
  add(optionsWith(entries, isText), text);
  add(optionsWith(entries, isFile), file);
  for (const { path, options } of entries)
    for (const { names, value } of options)
      if (choicesOf(value).length > 0)
        add(
          names.map((name) => `${path} ${name}`),
          choice(choicesOf(value).join(' ')),
        );
  return lines.join('\n');
}

function bashScript(entries: readonly CommandEntry[]): string {
  const words = entries.map(({ path, commands, options, argument }) => {
    const names = [...commands.map(({ name }) => name), ...choicesOf(argument)].join(' ');
    const flags = options.flatMap((option) => option.names).join(' ');
    return `    ${quote(path)}) words=${quote(names)}; options=${quote(flags)} ;;`;
  });
  return `# Completes sluice in bash: source <(sluice completion bash)
_sluice() {
  local at='' i words options cur="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at/\${COMP_WORDS[i]}" in
      ${pathsOf(entries).join('|')}) at="$at/\${COMP_WORDS[i]}" ;;
    esac
  done
  # Without an answer, bash completes names of files.
  case "$at \${COMP_WORDS[COMP_CWORD - 1]}" in
${branches(entries, 'compopt +o default 2>/dev/null', ':', (choices) => `COMPREPLY=($(compgen -W ${quote(choices)} -- "$cur"))`)}
  esac
  case "$at" in
${words.join('\n')}
  esac
  if [[ "$cur" == -* ]]; then words="$options"; fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _sluice sluice
`;
}

function zshScript(entries: readonly CommandEntry[]): string {
  const described = (name: string, description: string): string =>
    quote(`${name.replaceAll(':', '\\:')}:${description}`);
  const words = entries.map(({ path, commands, options, argument }) => {
    const names = [
      ...commands.map(({ name, description }) => described(name, description)),
      ...choicesOf(argument).map((choice) => quote(choice)),
    ];
    const flags = options.flatMap((option) => option.names.map((name) => described(name, option.description)));
    return `    (${quote(path)}) names=(${names.join(' ')}); options=(${flags.join(' ')}) ;;`;
  });
  return `#compdef sluice
# Completes sluice in zsh: source <(sluice completion zsh), or save it as _sluice in a folder of $fpath
_sluice() {
  local at='' i
  local -a names options
  for ((i = 2; i < CURRENT; i++)); do
    case "$at/\${words[i]}" in
      ${pathsOf(entries).join('|')}) at="$at/\${words[i]}" ;;
    esac
  done
  case "$at \${words[CURRENT - 1]}" in
${branches(entries, ':', '_files', (choices) => `compadd ${choices}`)}
  esac
  case "$at" in
${words.join('\n')}
  esac
  if [[ "$PREFIX" == -* ]]; then _describe -o option options
  elif (( $#names )); then _describe command names
  else _files
  fi
}
if [[ "\${funcstack[1]}" == _sluice ]]; then _sluice "$@"; else compdef _sluice sluice; fi
`;
}

function fishScript(entries: readonly CommandEntry[]): string {
  const lines = entries.flatMap(({ path, commands, options, argument }) => {
    const here = `complete -c sluice -n ${fishQuote(`__sluice_at ${fishQuote(path)}`)}`;
    const names = [...commands, ...choicesOf(argument).map((name) => ({ name, description: '' }))];
    return [
      ...names.map(({ name, description }) => `${here} -a ${name} -d ${fishQuote(description)}`),
      ...options.map(({ names: flags, value, description }) => {
        const switches = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
        const values = choicesOf(value);
        const takes =
          value === undefined
            ? ''
            : isFile(value)
              ? ' -r -F'
              : ` -x${values.length > 0 ? ` -a ${fishQuote(values.join(' '))}` : ''}`;
        return `${here} ${switches.join(' ')}${takes} -d ${fishQuote(description)}`;
      }),
    ];
  });
  return `# Completes sluice in fish: sluice completion fish | source
function __sluice_at
    set -l at
    set -l words (commandline -opc)
    for word in $words[2..]
        switch "$at/$word"
            case ${pathsOf(entries).join(' ')}
                set at "$at/$word"
        end
    end
    test "$at" = "$argv[1]"
end
complete -c sluice -f
${lines.join('\n')}
`;
}

/** For bash and zsh. */
function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function fishQuote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`;
}
