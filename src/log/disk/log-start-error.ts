/** The log on disk cannot be opened. The message is one line that says what to do. */
export class LogStartError extends Error {
  override readonly name = 'LogStartError';
}
