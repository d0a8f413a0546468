import { styleText } from 'node:util';
import type { WriteStream } from 'node:tty';
import { Interruption } from './cli-error.ts';
import { printable } from './terminal-text.ts';

/** `util.styleText` knows more formats. These are the ones of the command line. */
type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'magenta';

/** What a command gets from its process. */
export interface CliContext {
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadStream;
  /** Data: what a script reads. */
  readonly stdout: CliOutput;
  /** Everything else: progress, notices and errors. */
  readonly stderr: CliOutput;
  /** Aborted at the first Ctrl-C or SIGTERM, with an `Interruption` as the reason. A second one ends the process at once. */
  readonly signal: AbortSignal;
}

type OutputStream = NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'columns' | 'rows'>>;

/** One of the process's outputs. */
export class CliOutput {
  readonly #stream: () => OutputStream;
  readonly #signal: AbortSignal | undefined;
  #mayClose = false;

  /**
   * @param stream called when the output is used: Node changes the mode of a pipe when it opens a stream for it
   * @param signal when it aborts, the output no longer waits for a slow reader
   */
  constructor(stream: () => OutputStream, signal?: AbortSignal) {
    this.#stream = stream;
    this.#signal = signal;
  }

  get isTerminal(): boolean {
    return this.#stream().isTTY === true;
  }

  /** Characters in a line; undefined when the output is not a terminal. */
  get columns(): number | undefined {
    return this.isTerminal ? this.#stream().columns || 80 : undefined;
  }

  /** Lines of the terminal; undefined when the output is not a terminal. */
  get rows(): number | undefined {
    return this.isTerminal ? this.#stream().rows || 24 : undefined;
  }

  /** Colours a text when the output is a terminal (NO_COLOR and FORCE_COLOR are respected). */
  style(style: Style | readonly Style[], text: string): string {
    return styleText(style, text, { stream: this.#stream() });
  }

  /**
   * Text from strangers, such as the data of an event: control characters are escaped when the output is a terminal.
   * Other outputs get the text as it is.
   */
  foreign(text: string, options?: { readonly lines?: boolean }): string {
    return this.isTerminal ? printable(text, options) : text;
  }

  /** For a command that has more to do than to print: it goes on, without this output, when the reader has gone. */
  mayClose(): void {
    this.#mayClose = true;
  }

  /** Whether the command goes on when the reader has gone. */
  get isOptional(): boolean {
    return this.#mayClose;
  }

  /** Resolves when the stream wants more, so that a slow reader holds the command back, and when the stream has failed. */
  async write(text: string | Uint8Array): Promise<void> {
    const stream = this.#stream();
    if (stream.write(text) || this.#signal?.aborted === true) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const events = ['drain', 'error', 'close'] as const;
    const onAbort = (): void => resolve();
    this.#signal?.addEventListener('abort', onAbort);
    for (const event of events) stream.on(event, resolve);
    await promise;
    for (const event of events) stream.off(event, resolve);
    this.#signal?.removeEventListener('abort', onAbort);
  }

  line(text = ''): Promise<void> {
    return this.write(`${text}\n`);
  }

  /** One JSON document in a line. */
  json(value: unknown): Promise<void> {
    return this.line(JSON.stringify(value));
  }
}

/** The context of this process. Call it once: it takes the signals. */
export function processContext(): CliContext {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.on(name, () => {
      const interruption = new Interruption(name);
      if (interrupt.signal.aborted) process.exit(interruption.exitCode);
      interrupt.abort(interruption);
    });
  // There is nowhere to report an error of stderr.
  const stderr = opened(
    () => process.stderr,
    () => undefined,
  );
  const stdout: CliOutput = new CliOutput(
    opened(
      () => process.stdout,
      ({ code, message }) => {
        if (code === 'EPIPE' && stdout.isOptional) return;
        // The reader has seen enough, as in `| head`.
        if (code === 'EPIPE') process.exit(0);
        stderr().write(`sluice: cannot write the output: ${message}\n`);
        process.exit(1);
      },
    ),
    interrupt.signal,
  );
  return {
    env: process.env,
    get stdin() {
      return process.stdin;
    },
    stdout,
    stderr: new CliOutput(stderr, interrupt.signal),
    signal: interrupt.signal,
  };
}

/** Opens a stream once, when it is used, and handles its errors. */
function opened(
  open: () => NodeJS.WriteStream,
  onError: (error: NodeJS.ErrnoException) => void,
): () => NodeJS.WriteStream {
  let stream: NodeJS.WriteStream | undefined;
  return () => (stream ??= open().on('error', onError));
}
