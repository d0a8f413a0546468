import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { hostname } from 'node:os';

/** How much may wait for a slow reader. Further lines are dropped. */
const MAX_WAITING_BYTES = 256 * 1024;
/** How often waiting lines are tried again. */
const RETRY_INTERVAL_MS = 50;
/** After a write error: how often a write is tried again. */
const PROBE_INTERVAL_MS = 1_000;
/** How long the end of the process waits for a slow reader. */
const LAST_FLUSH_MS = 500;

/** A file descriptor, and the socket object that keeps it non-blocking. */
interface Target {
  readonly fd: number;
  readonly holder?: Socket;
}

/**
 * Writes log lines. Each line is written in order and before the call returns, so that the last lines before an exit are not
 * lost. The broker goes on when the log cannot be written: on a full disk and on a closed pipe, lines are dropped and counted.
 * For a slow reader, lines wait up to a limit. Only a write to a file can block. When writing works again, one line says how
 * many lines were lost.
 */
export class LogOutput {
  readonly #target: Target;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  /** Dropped lines that no log line has reported yet. */
  #unreported = 0;
  /** Whether the last write ended within a line, and the rest of that line was dropped. */
  #torn = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(fd: number) {
    this.#target = nonBlocking(fd);
    process.on('exit', () => this.#flushLast());
  }

  /** How many lines were lost since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** @param line with its line break */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waiting.length === 0) {
      if (!this.#reportLost() || !this.#put(bytes)) this.#drop();
      return;
    }
    // After a dropped line, drops all further lines until the waiting ones are written, so that there is only one hole.
    const room = this.#unreported === 0 && this.#waitingBytes + bytes.length <= MAX_WAITING_BYTES;
    if (room) this.#wait(bytes);
    else this.#drop();
  }

  /** Writes a line. If the reader takes only a part, the rest waits. Returns false on a write error. */
  #put(bytes: Buffer): boolean {
    // `#reportLost` may have left a part of its own line waiting.
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

  /** Returns how many bytes were written: fewer than all when the reader is slow. @throws the write's error */
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
    this.#flushLater(RETRY_INTERVAL_MS);
  }

  #drop(lines = 1): void {
    this.#dropped += lines;
    this.#unreported += lines;
    this.#flushLater(PROBE_INTERVAL_MS);
  }

  /** Writes a line with the number of lost lines, if there are any. Returns false on a write error. */
  #reportLost(): boolean {
    if (this.#unreported === 0) return true;
    const lost = this.#unreported;
    const line = { level: 40, time: Date.now(), pid: process.pid, hostname: hostname(), lost };
    const msg = 'log lines could not be written, and are lost';
    if (!this.#put(Buffer.from(`${JSON.stringify({ ...line, msg })}\n`))) return false;
    this.#unreported = 0;
    return true;
  }

  #flushLater(delay: number): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#flush();
      if (this.#waiting.length > 0) this.#flushLater(RETRY_INTERVAL_MS);
      else if (this.#unreported > 0) this.#flushLater(PROBE_INTERVAL_MS);
    }, delay).unref();
  }

  /** Writes waiting lines until the reader takes no more. Then reports lost lines. */
  #flush(): void {
    while (this.#waiting.length > 0) {
      const [bytes = Buffer.alloc(0)] = this.#waiting;
      let written: number;
      try {
        written = this.#writeSome(bytes);
      } catch {
        this.#dropWaiting();
        return;
      }
      this.#waitingBytes -= written;
      if (written < bytes.length) {
        this.#waiting[0] = bytes.subarray(written);
        return;
      }
      this.#waiting.shift();
    }
    this.#reportLost();
  }

  /** Counts the waiting lines as lost: the pipe is closed or the disk is full. */
  #dropWaiting(): void {
    const lines = this.#waiting.splice(0);
    this.#waitingBytes = 0;
    this.#drop(lines.length);
  }

  /** At the end of the process, waits a moment for a slow reader. */
  #flushLast(): void {
    const until = performance.now() + LAST_FLUSH_MS;
    const sleep = new Int32Array(new SharedArrayBuffer(4));
    this.#flush();
    while (this.#waiting.length > 0 && performance.now() < until) {
      Atomics.wait(sleep, 0, 0, 5);
      this.#flush();
    }
  }
}

/**
 * Returns a descriptor whose writes never wait for a reader. Opens pipes and terminals again, because O_NONBLOCK belongs to the
 * open file, and other processes may share the given one. Writes to files never wait for a reader.
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
    // The system has no /proc, or the file may not be opened.
  }
  try {
    // Node makes the descriptor of a Socket non-blocking and restores the mode at the end. The Socket itself writes nothing.
    const holder = new Socket({ fd, readable: false, writable: true });
    holder.on('error', () => undefined).unref();
    return { fd, holder };
  } catch {
    // Neither a pipe nor a socket. Writes to it may block.
  }
  return { fd };
}
