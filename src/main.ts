import { writeSync } from 'node:fs';
import { packageVersion } from './config/package-version.ts';

/** By default SIGHUP and SIGUSR2 end the process, and SIGUSR1 opens Node's debugger. */
const IGNORED_DURING_START = ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;
/** How long the output of an interrupted command may take to be read. */
const LAST_OUTPUT_MS = 500;

/** Each command loads only the modules that it needs. */
async function main(args: readonly string[]): Promise<void> {
  const [command, ...rest] = args;
  const alone = rest.length === 0;
  if (command === undefined || (command === 'serve' && alone)) return await runBroker();
  if (command === 'healthcheck' && alone) return await checkHealth();
  if (['version', '--version', '-v'].includes(command))
    return print('stdout', `sluice ${packageVersion()} (Node ${process.version})\n`);
  if (command === 'serve') ignoreSignals();
  const [{ runProgram }, { processContext }, { COMMANDS }] = await Promise.all([
    import('./cli/program.ts'),
    import('./cli/context.ts'),
    import('./cli/commands/commands.ts'),
  ]);
  const context = processContext();
  process.exitCode = await runProgram(args, context, COMMANDS);
  // Nothing keeps an interrupted command alive, such as a pipe whose reader reads no more.
  if (context.signal.aborted) setTimeout(() => process.exit(), LAST_OUTPUT_MS).unref();
}

async function runBroker(): Promise<void> {
  ignoreSignals();
  const { serve } = await import('./cli/serve.ts');
  await serve(process.env);
}

/** Until `serve` gives these signals actions, they do nothing. */
function ignoreSignals(): void {
  for (const signal of IGNORED_DURING_START) process.on(signal, () => undefined);
}

/** A container engine calls this every few seconds. It loads neither the broker nor the command line. */
async function checkHealth(): Promise<void> {
  const [{ healthcheck }, { loadConfig }] = await Promise.all([
    import('./cli/healthcheck.ts'),
    import('./config/config.ts'),
  ]);
  const { host, port, adminPort, tlsCert } = loadConfig(process.env);
  const tls = adminPort === undefined && tlsCert !== undefined;
  const fault = await healthcheck({ host, port: adminPort ?? port, tls });
  if (fault === undefined) return;
  print('stderr', `sluice: ${fault}\n`);
  process.exitCode = 1;
}

/** Writes a text for the person who runs the command. Ignores write errors, because there is nowhere to report them. */
function print(to: 'stdout' | 'stderr', text: string): void {
  try {
    writeSync(to === 'stdout' ? 1 : 2, text);
  } catch {
    // The disk is full or the pipe is closed.
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const { code, message, problems } = error as NodeJS.ErrnoException & { problems?: readonly string[] };
  // A ConfigError has a line for each setting that is invalid.
  if (problems !== undefined) {
    for (const problem of problems) print('stderr', `sluice: ${problem}\n`);
  } else {
    const isAboutPort = code === 'EADDRINUSE' || code === 'EACCES';
    print('stderr', `sluice: ${isAboutPort ? `${message}. Choose another port.` : (error as Error).stack}\n`);
  }
  process.exit(1);
}
