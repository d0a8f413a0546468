import { Readable } from 'node:stream';
import { createReadStream } from 'node:fs';
import { CliError } from './cli-error.ts';
import type { CliContext } from './context.ts';
import { readableBytes } from './readable-values.ts';

/** The broker gives up an upload that is silent for 60 s. */
const KEEP_ALIVE_MS = 20_000;
/** An incomplete line up to this size is held back, so that Ctrl-C does not publish a part of it. */
const MAX_HELD_BYTES = 1_024 ** 2;
const PROGRESS_MS = 250;
/** How long the broker may take after Ctrl-C to say what it has published. */
const GRACE_MS = 2_000;
const LF = 0x0a;

/** How the body is divided into events. */
export type Each = 'line' | 'event';

/** An input of many events. */
interface Input {
  /** Reading fails with a CliError. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Ends a read that is under way, too. An open stdin would keep the process alive. */
  close(): void;
}

/** Stdin, or a file. */
export function openInput(context: CliContext, file: string | undefined): Input {
  const source = file === undefined ? context.stdin : createReadStream(file);
  return { bytes: readInput(source, file ?? 'stdin'), close: () => source.destroy() };
}

async function* readInput(source: Readable, name: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of source) yield chunk as Uint8Array;
  } catch (error) {
    throw new CliError(`Cannot read ${name}: ${(error as Error).message}.`);
  }
}

/**
 * The body of an upload. It has the bytes of the input, and after a silence something that is no event, which keeps the
 * request alive. It ends at Ctrl-C, after a whole event.
 */
export function uploadBody(context: CliContext, input: AsyncIterable<Uint8Array>, each: Each): Readable {
  const { signal } = context;
  return Readable.from(
    each === 'line' ? wholeLines(pieces(input, signal, '\n'), signal) : pieces(input, signal, ':\n'),
    {
      objectMode: false,
    },
  );
}

/** The input until Ctrl-C. */
export function untilInterrupted(
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  return pieces(input, signal, '');
}

/** Yields what arrives, and `keepAlive` after a silence behind a line end. Ends when the signal aborts. */
async function* pieces(
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  keepAlive: string,
): AsyncGenerator<Uint8Array> {
  const iterator = input[Symbol.asyncIterator]();
  const { promise: aborted, resolve: abort } = Promise.withResolvers<'aborted'>();
  const onAbort = (): void => abort('aborted');
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();
  let atLineEnd = true;
  try {
    for (let next = iterator.next(); ;) {
      const piece = await firstOf(next, aborted);
      if (piece === 'aborted') return;
      if (piece === 'silence') {
        if (atLineEnd && keepAlive !== '') yield Buffer.from(keepAlive);
        continue;
      }
      if (piece.done === true) return;
      yield piece.value;
      atLineEnd = piece.value.at(-1) === LF;
      next = iterator.next();
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    // Not awaited: the read that is under way may never end.
    void iterator.return?.();
  }
}

async function firstOf(
  next: Promise<IteratorResult<Uint8Array>>,
  aborted: Promise<'aborted'>,
): Promise<IteratorResult<Uint8Array> | 'aborted' | 'silence'> {
  const { promise: silence, resolve } = Promise.withResolvers<'silence'>();
  const timer = setTimeout(resolve, KEEP_ALIVE_MS, 'silence' as const);
  try {
    return await Promise.race([next, aborted, silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** Holds back an incomplete last line until its rest arrives. The end of the input completes it, and Ctrl-C drops it. */
async function* wholeLines(
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let sentPart = false;
  for await (const piece of input) {
    const end = piece.lastIndexOf(LF) + 1;
    if (end > 0) {
      yield Buffer.concat([...held, piece.subarray(0, end)]);
      held = [];
      heldBytes = 0;
      sentPart = false;
    }
    if (end < piece.byteLength) {
      held.push(piece.subarray(end));
      heldBytes += piece.byteLength - end;
    }
    if (heldBytes > MAX_HELD_BYTES) {
      yield Buffer.concat(held);
      held = [];
      heldBytes = 0;
      sentPart = true;
    }
  }
  // The end of the body would complete the line.
  if (signal.aborted && sentPart) throw signal.reason;
  if (!signal.aborted && held.length > 0) yield Buffer.concat(held);
}

/** Counts what passes through it. On a terminal, stderr shows the sum. */
export async function* withProgress(
  { stderr, stdin }: CliContext,
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  // Somebody who types sees what was sent.
  const shows = stderr.isTerminal && !stdin.isTTY;
  let bytes = 0;
  let shown = 0;
  for await (const piece of input) {
    yield piece;
    bytes += piece.byteLength;
    if (!shows || performance.now() - shown < PROGRESS_MS) continue;
    shown = performance.now();
    await stderr.write(`\r${stderr.style('dim', `${readableBytes(bytes)} sent`)}\u001b[K`);
  }
  if (shown > 0) await stderr.write('\r\u001b[K');
}

/** Aborts some time after the command's signal: what was sent is so answered. */
export function graceSignal(signal: AbortSignal): AbortSignal {
  const grace = new AbortController();
  signal.addEventListener('abort', () => setTimeout(() => grace.abort(signal.reason), GRACE_MS).unref());
  return grace.signal;
}
