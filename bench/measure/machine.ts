import { cpus } from 'node:os';

/** Where and when a measurement ran. Figures are of little use without it. */
export interface Machine {
  /** The time, as RFC 3339. */
  readonly at: string;
  readonly node: string;
  readonly platform: string;
  readonly processor: string;
  readonly cores: number;
}

export function thisMachine(): Machine {
  return {
    at: new Date().toISOString(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
  };
}
