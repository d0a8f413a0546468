import { Argument, Command } from 'commander';
import { SHELLS, completionScript } from '../completion-scripts.ts';
import type { Shell } from '../completion-scripts.ts';
import type { CliContext } from '../context.ts';
import { examples } from '../program.ts';

/** `sluice completion`: a script for a shell. The program is the command's parent. */
export function completionCommand(context: CliContext): Command {
  const command = new Command('completion')
    .summary('print a script for the shell')
    .description('Prints a script with which a shell completes the commands and the options of sluice.')
    .addArgument(new Argument('<shell>', 'your shell').choices(SHELLS))
    .action((shell: Shell) => context.stdout.write(completionScript(command.parent ?? command, shell)));
  return examples(command, context, [
    ['in this bash', 'source <(sluice completion bash)'],
    ['in every zsh', `echo 'source <(sluice completion zsh)' >> ~/.zshrc`],
    ['in every fish', 'sluice completion fish > ~/.config/fish/completions/sluice.fish'],
  ]);
}
