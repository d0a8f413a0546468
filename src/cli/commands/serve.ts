import { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { examples } from '../program.ts';

/** The setting that each option sets for this run. */
const SETTING_OF = { port: 'PORT', host: 'HOST', dataDir: 'SLUICE_DATA_DIR', redis: 'REDIS_URL' } as const;

type ServeOptions = { readonly [N in keyof typeof SETTING_OF]?: string };

/** `sluice serve` with options. Without options main.ts starts the broker and loads no parser. */
export function serveCommand(context: CliContext): Command {
  const command = new Command('serve')
    .summary('run the broker (also without a command)')
    .description(
      'Runs the broker until SIGTERM or Ctrl-C, and then drains it. Settings come from the environment; an option sets one of them for this run.',
    )
    .option('--port <port>', 'the port (PORT; 3000)')
    .option('--host <host>', 'the address to listen on (HOST; 0.0.0.0)')
    .option('--data-dir <folder>', 'keep the log in this folder (SLUICE_DATA_DIR)')
    .option('--redis <url>', 'keep the log in Redis (REDIS_URL)')
    .action(async (options: ServeOptions) => {
      const env = { ...context.env };
      for (const [option, setting] of Object.entries(SETTING_OF)) {
        const value = options[option as keyof ServeOptions];
        if (value !== undefined) env[setting] = value;
      }
      // The broker handles these by itself.
      process.removeAllListeners('SIGINT').removeAllListeners('SIGTERM');
      const { serve } = await import('../serve.ts');
      await serve(env);
    });
  return examples(command, context, [
    ['with the log in memory; the broker makes a publish key and writes it to .publish-key', 'sluice serve'],
    ['with the log on disk', 'mkdir -p data && sluice serve --port 8080 --data-dir data'],
    ['several replicas on one Redis', 'sluice serve --redis redis://localhost:6379'],
  ]);
}
