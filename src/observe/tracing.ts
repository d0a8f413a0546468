import { hostname } from 'node:os';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { RequestTracer } from '../publish/request-tracer.ts';
import { RequestSpans } from './request-spans.ts';
import { spanExporter } from './span-exporter.ts';
import type { TraceProtocol } from './span-exporter.ts';

export interface TracingOptions {
  readonly protocol: TraceProtocol;
  /** The database behind the log, by its name in the semantic conventions; undefined for none. */
  readonly database: string | undefined;
  /** Called with the reason each time spans could not be delivered. */
  readonly onFailed: (reason: string) => void;
}

export interface Tracing {
  readonly requests: RequestTracer;
  /** Sends the spans that are left, for {@link FLUSH_TIMEOUT_MS} at most. */
  close(): Promise<void>;
}

/** How long a shutdown waits for the last spans to be sent, in ms. */
const FLUSH_TIMEOUT_MS = 2_000;

/**
 * Sets OpenTelemetry up from its own environment variables. Nothing is registered globally: the publisher gets the
 * tracer as an option. Spans wait in a queue of OTEL_BSP_MAX_QUEUE_SIZE; more spans are dropped.
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
      const timeout = Promise.withResolvers<void>();
      const timer = setTimeout(timeout.resolve, FLUSH_TIMEOUT_MS);
      // onFailed was called with the reason of a failure.
      await Promise.race([provider.shutdown().catch(() => undefined), timeout.promise]);
      clearTimeout(timer);
    },
  };
}
