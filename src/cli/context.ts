import { styleText } from 'node:util';
import type { ReadStream, WriteStream } from 'node:tty';

/** `util.styleText` knows more formats. These are the ones of the command line. */
export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'magenta';

/** What a command gets from its process. */
export interface CliContext {
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadableStream & Partial<Pick<ReadStream, 'isTTY'>>;
  /** Data: what a script reads. */
  readonly stdout: CliOutput;
  /** Everything else: progress, notices and errors. */
  readonly stderr: CliOutput;
  /** Aborted at the first Ctrl-C or SIGTERM. A second one ends the process at once. */
  readonly signal: AbortSignal;
}

/** One of the process's outputs. */
export class CliOutput {
  readonly #stream: NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'columns'>>;

  constructor(stream: NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'columns'>>) {
    this.#stream = stream;
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  /** Characters in a line; undefined when the output is not a terminal. */
  get columns(): number | undefined {
    return this.isTerminal ? this.#stream.columns : undefined;
  }

  /** Colours a text when the output is a terminal (NO_COLOR and FORCE_COLOR are respected). */
  style(style: Style | readonly Style[], text: string): string {
    return styleText(style as Style[], text, { stream: this.#stream });
  }

  /** Resolves when the stream wants more, so that a slow reader holds the command back. */
  async write(text: string): Promise<void> {
    if (this.#stream.write(text)) return;
    await new Promise((resolve) => this.#stream.once('drain', resolve));
  }

  line(text = ''): Promise<void> {
    return this.write(`${text}\n`);
  }

  json(value: unknown): Promise<void> {
    return this.line(JSON.stringify(value));
  }
}
