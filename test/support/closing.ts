import type { SseStream } from './sse-reader.ts';

export interface Closing {
  /** The id to reconnect with; undefined when the event had no id. */
  readonly id: string | undefined;
  readonly reason: string;
  /** The reconnection time, in ms. */
  readonly retry: number;
}

const TEXT =
  /(?:^|\n)retry: (\d+)\n(?:id: (\S+)\n)?event: sluice:closing\ndata: \{"reason":"([a-z-]+)","retry":\1\}\n\n$/;

/** Reads the last `sluice:closing` of a stream. */
export function readClosing(text: string): Closing {
  const match = TEXT.exec(text);
  if (match === null) throw new Error(`the stream does not end with sluice:closing:\n${text.slice(-500)}`);
  const [, retry, id, reason = ''] = match;
  return { id, reason, retry: Number(retry) };
}

/** Waits for the broker to end the stream, then reads its `sluice:closing`. */
export async function closingOf(stream: SseStream): Promise<Closing> {
  await stream.ended;
  return readClosing(stream.text);
}
