/** A command that failed. The message says what to do next. */
export class CliError extends Error {
  /** 1: failed or refused. 2: wrong use. */
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}

/** The reason of {@link CliContext.signal}: Ctrl-C or SIGTERM. Ends the command with the exit code of shells. */
export class Interruption extends CliError {
  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super('', signal === 'SIGINT' ? 130 : 143);
    this.name = 'Interruption';
  }
}
