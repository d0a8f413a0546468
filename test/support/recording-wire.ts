import type { Wire } from '../../src/stream/wire.ts';

export interface RecordingWire extends Wire {
  readonly written: (Buffer | string)[];
  /** What was done with the wire besides writing, in order. */
  readonly done: string[];
}

/** A wire without chunks that takes everything, and records what is done with it. */
export function recordingWire(): RecordingWire {
  const written: (Buffer | string)[] = [];
  const done: string[] = [];
  const note = (what: string) => () => void done.push(what);
  return {
    written,
    done,
    chunked: false,
    outlet: {
      writableLength: 0,
      write: (bytes) => written.push(bytes) > 0,
      cork: () => undefined,
      uncork: () => undefined,
    },
    listen: () => undefined,
    release: () => undefined,
    unsentBytes: () => 0,
    end: note('end'),
    breakOff: note('breakOff'),
    reset: note('reset'),
    cut: note('cut'),
  };
}
