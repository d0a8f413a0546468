import { hostname } from 'node:os';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { RequestTracer } from '../core/request-tracer.ts';
import type { TraceProtocol } from '../core/trace-protocol.ts';
import { RequestSpans } from './request-spans.ts';
import { spanExporter } from './span-exporter.ts';

export interface TracingOptions {
  readonly protocol: TraceProtocol;
  /** The database behind the log, by its name in the semantic conventions; undefined for none. */
  readonly database: string | undefined;
  /** Called with the reason each time spans could not be delivered. */
  readonly onFailed: (reason: string) => void;
}

export interface Tracing {
  readonly requests: RequestTracer;
  /** Sends what is left, for a short time at most. */
  close(): Promise<void>;
}

/** How long the last spans may take to leave, in ms: a collector that hangs does not keep us. */
const FLUSH = 2_000;

/**
 * OpenTelemetry, set up by its own environment variables. Nothing is registered globally: whoever is to be traced is
 * given what it needs. Spans wait in a queue of OTEL_BSP_MAX_QUEUE_SIZE, and those beyond it are dropped.
 */
export async function startTracing({ protocol, database, onFailed }: TracingOptions): Promise<Tracing> {
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'sluice', 'host.name': hostname() }).merge(
      detectResources({ detectors: [envDetector] }),
    ),
    spanProcessors: [new BatchSpanProcessor(await spanExporter(protocol, onFailed))],
  });
  return {
    requests: new RequestSpans(provider.getTracer('sluice'), database),
    async close() {
      const patience = Promise.withResolvers<void>();
      const timer = setTimeout(patience.resolve, FLUSH);
      // A failure has been told to onFailed.
      await Promise.race([provider.shutdown().catch(() => undefined), patience.promise]);
      clearTimeout(timer);
    },
  };
}
