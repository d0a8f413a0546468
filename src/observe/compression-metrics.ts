import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';

/** What the streams' compression says of itself. The counts are since the start. */
interface CompressionFigures {
  readonly compressions: number;
  /** Bytes of the bodies of compressed streams, before and after compression. */
  readonly plainBytes: number;
  readonly sentBytes: number;
}

/** Undefined when streams are not compressed. */
export type CompressionFigureReader = () => CompressionFigures | undefined;

/** Registers the metrics of compressed streams. They stay at 0 when streams are not compressed. */
export function compressionMetrics(registry: Registry, read: CompressionFigureReader): void {
  const compressions = new Counter({
    name: 'sluice_compressions_total',
    help: 'Times that events were compressed, each time for all streams that get them.',
    registers: [],
    collect() {
      this.reset();
      this.inc(read()?.compressions ?? 0);
    },
  });
  const bytes = new Counter({
    name: 'sluice_compressed_stream_bytes_total',
    help: 'Bytes of the bodies of compressed streams, summed over streams: before compression (plain), and as sent.',
    labelNames: ['form'],
    registers: [],
    collect() {
      const figures = read();
      this.reset();
      this.inc({ form: 'plain' }, figures?.plainBytes ?? 0);
      this.inc({ form: 'sent' }, figures?.sentBytes ?? 0);
    },
  });
  registry.registerMetric(compressions);
  registry.registerMetric(bytes);
}
