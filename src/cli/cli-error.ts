/** A command that failed: the message says what to do next. Exit codes: 1 failed or refused, 2 wrong use. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}
