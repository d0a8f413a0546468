/** The log on disk cannot be opened. The message is one line that says what to do. */
export class LogStartError extends Error {
  override readonly name = 'LogStartError';
  /** Whether the file is not a log of Sluice, or a damaged one. */
  readonly isForeign: boolean;

  constructor(message: string, options: ErrorOptions & { readonly isForeign?: boolean } = {}) {
    super(message, options);
    this.isForeign = options.isForeign ?? false;
  }
}
