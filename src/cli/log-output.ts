import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { hostname } from 'node:os';

/** What may wait for a reader who is slow; the next line is dropped, in bytes. */
const MOST_WAITING = 256 * 1024;
/** How often what waits is tried again, in ms. */
const RETRY = 50;
/** How often it is tried whether lines can be written again, after an error, in ms. */
const PROBE = 1_000;
/** How long the end of the process waits for the last lines to be taken, in ms. */
const LAST_WORDS = 500;

/** An open file, and what keeps it as it is. */
interface Target {
  readonly fd: number;
  readonly holder?: Socket;
}

/**
 * Where log lines go. Each is written at once, in order, before the call returns, so that the last ones before an exit are there.
 * A log that cannot be written to is no reason to stop: on a full disk and behind a closed pipe lines are dropped and counted,
 * and for a pipe that nobody reads they wait, up to a limit. Nothing blocks but a write to a file. When lines can be written
 * again, one says how many are missing.
 */
export class LogOutput {
  readonly #target: Target;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  /** Dropped ones of which no line has told. */
  #untold = 0;
  /** The last write ended within a line, whose rest was given up. */
  #torn = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(fd: number) {
    this.#target = nonBlocking(fd);
    process.on('exit', () => this.#flushLast());
  }

  /** Lines that were not written, since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** @param line with its line break */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waiting.length === 0) {
      if (!this.#tell() || !this.#put(bytes)) this.#drop();
      return;
    }
    // Once one is dropped so are the others until all that waits is gone: what is missing is missing in one place.
    const room = this.#untold === 0 && this.#waitingBytes + bytes.length <= MOST_WAITING;
    if (room) this.#wait(bytes);
    else this.#drop();
  }

  /** Writes a line, or as much of it as is taken now, and lets the rest wait. False when it cannot be written. */
  #put(bytes: Buffer): boolean {
    // The line that says what is missing may be waiting itself.
    if (this.#waiting.length > 0) {
      this.#wait(bytes);
      return true;
    }
    try {
      const written = this.#writeSome(bytes);
      if (written < bytes.length) this.#wait(bytes.subarray(written));
      return true;
    } catch {
      return false;
    }
  }

  /** Gives how many bytes were taken; fewer than all when a reader takes no more just now. @throws the write's error */
  #writeSome(bytes: Buffer): number {
    let from = 0;
    const { fd } = this.#target;
    try {
      if (this.#torn) {
        writeSync(fd, '\n');
        this.#torn = false;
      }
      while (from < bytes.length) from += writeSync(fd, bytes, from);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return from;
      this.#torn ||= from > 0;
      throw error;
    }
    return from;
  }

  #wait(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#later(RETRY);
  }

  #drop(lines = 1): void {
    this.#dropped += lines;
    this.#untold += lines;
    this.#later(PROBE);
  }

  /** Says how many lines are missing, if any are. False when that cannot be said. */
  #tell(): boolean {
    if (this.#untold === 0) return true;
    const lost = this.#untold;
    const line = { level: 40, time: Date.now(), pid: process.pid, hostname: hostname(), lost };
    const msg = 'log lines could not be written, and are lost';
    if (!this.#put(Buffer.from(`${JSON.stringify({ ...line, msg })}\n`))) return false;
    this.#untold = 0;
    return true;
  }

  #later(delay: number): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#flush();
      if (this.#waiting.length > 0) this.#later(RETRY);
      else if (this.#untold > 0) this.#later(PROBE);
    }, delay).unref();
  }

  /** Writes what waits, as far as it is taken, and then says what is missing. */
  #flush(): void {
    while (this.#waiting.length > 0) {
      const [bytes = Buffer.alloc(0)] = this.#waiting;
      let written: number;
      try {
        written = this.#writeSome(bytes);
      } catch {
        this.#giveUp();
        return;
      }
      this.#waitingBytes -= written;
      if (written < bytes.length) {
        this.#waiting[0] = bytes.subarray(written);
        return;
      }
      this.#waiting.shift();
    }
    this.#tell();
  }

  /** Nobody will ever read what waits. */
  #giveUp(): void {
    const lines = this.#waiting.splice(0);
    this.#waitingBytes = 0;
    this.#drop(lines.length);
  }

  /** At the end of the process; a reader who is only slow gets a moment. */
  #flushLast(): void {
    const until = performance.now() + LAST_WORDS;
    const sleep = new Int32Array(new SharedArrayBuffer(4));
    this.#flush();
    while (this.#waiting.length > 0 && performance.now() < until) {
      Atomics.wait(sleep, 0, 0, 5);
      this.#flush();
    }
  }
}

/**
 * A descriptor whose writes do not wait for a reader: a pipe's and a terminal's of its own, opened anew, because how one writes
 * is a matter of the open file, which others may share. Files never wait for a reader.
 */
function nonBlocking(fd: number): Target {
  try {
    const stats = fstatSync(fd);
    if (stats.isFile()) return { fd };
    if (!stats.isSocket()) {
      const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
      return { fd: openSync(`/proc/self/fd/${fd}`, flags) };
    }
  } catch {
    // Not on this system, or not ours to open.
  }
  try {
    // Node makes it non-blocking, as it does for process.stdout, and puts that back at the end. Nothing is ever written by it.
    const holder = new Socket({ fd, readable: false, writable: true });
    holder.on('error', () => undefined).unref();
    return { fd, holder };
  } catch {
    // Neither a pipe nor a socket; then writing waits as it always has.
  }
  return { fd };
}
