import type { SseStream } from './sse-reader.ts';

export interface Closing {
  /** What it would come back with; undefined where it has nothing. */
  readonly id: string | undefined;
  readonly reason: string;
  /** In ms. */
  readonly retry: number;
}

const TEXT =
  /(?:^|\n)retry: (\d+)\n(?:id: (\S+)\n)?event: sluice:closing\ndata: \{"reason":"([a-z-]+)","retry":\1\}\n\n$/;

/** With what the broker has ended a stream, or refused it: the last that it said. */
export function readClosing(text: string): Closing {
  const match = TEXT.exec(text);
  if (match === null) throw new Error(`the stream does not end with sluice:closing:\n${text.slice(-500)}`);
  const [, retry, id, reason = ''] = match;
  return { id, reason, retry: Number(retry) };
}

/** The same of a stream that the broker ends, once it has. */
export async function closingOf(stream: SseStream): Promise<Closing> {
  await stream.ended;
  return readClosing(stream.text);
}
