import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A pipe with a name, of which a test decides when it is read, and when there is anybody who could. */
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

  /** From here on writing is EPIPE. */
  closeReader(): void {
    if (this.#reader !== undefined) closeSync(this.#reader);
    this.#reader = undefined;
  }

  /** A descriptor that writes to it and waits for the reader, as a shell would hand it to a program. */
  writer(): number {
    const fd = openSync(this.#path, 'w');
    this.#open.push(fd);
    return fd;
  }

  /** Writes to it until it takes no more. */
  fill(): void {
    const fd = openSync(this.#path, constants.O_WRONLY | constants.O_NONBLOCK);
    this.#open.push(fd);
    try {
      for (;;) writeSync(fd, `${'.'.repeat(1_023)}\n`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }

  /** What is in it now. */
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
