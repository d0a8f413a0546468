import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A named pipe. The test decides when it has a reader, and when the reader reads. */
export class Fifo {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sluice-fifo-'));
  readonly #path = join(this.#folder, 'pipe');
  #reader: number | undefined;
  readonly #open: number[] = [];

  constructor() {
    execFileSync('mkfifo', [this.#path]);
    this.openReader();
  }

  openReader(): void {
    this.#reader = openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
  }

  /** Closes the reader. Writing then fails with EPIPE. */
  closeReader(): void {
    if (this.#reader !== undefined) closeSync(this.#reader);
    this.#reader = undefined;
  }

  /** Opens a blocking descriptor for writing, as a shell gives to a program. */
  writer(): number {
    const fd = openSync(this.#path, 'w');
    this.#open.push(fd);
    return fd;
  }

  /** Writes until the pipe is full. */
  fill(): void {
    const fd = openSync(this.#path, constants.O_WRONLY | constants.O_NONBLOCK);
    this.#open.push(fd);
    try {
      for (;;) writeSync(fd, `${'.'.repeat(1_023)}\n`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }

  /** Reads what the pipe holds now. */
  read(): string {
    const buffer = Buffer.alloc(1024 ** 2);
    let text = '';
    try {
      for (;;) {
        const length = readSync(this.#reader ?? -1, buffer);
        if (length === 0) return text;
        text += buffer.toString('utf8', 0, length);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      return text;
    }
  }

  remove(): void {
    this.closeReader();
    for (const fd of this.#open.splice(0)) closeSync(fd);
    rmSync(this.#folder, { recursive: true });
  }
}
