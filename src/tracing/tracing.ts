import { hostname } from 'node:os';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { EventLog } from '../core/event-log.ts';
import type { RequestTracer } from '../core/request-tracer.ts';
import type { TraceProtocol } from '../core/trace-protocol.ts';
import { RequestSpans } from './request-spans.ts';
import { spanExporter } from './span-exporter.ts';
import { TracedEventLog } from './traced-event-log.ts';

export interface TracingOptions {
  readonly protocol: TraceProtocol;
  /** Called with the reason each time spans could not be delivered. */
  readonly onFailed: (reason: string) => void;
}

export interface Tracing {
  readonly requests: RequestTracer;
  /** The same log, but that its appends are traced. */
  around(log: EventLog, database: string | undefined): EventLog;
  /** Sends what is left, for a short time at most. */
  close(): Promise<void>;
}

/** How long the last spans may take to leave, in ms: a collector that hangs does not keep us. */
const FLUSH = 2_000;

/**
 * OpenTelemetry, set up by its own environment variables. Nothing is registered globally: whoever is to be traced is
 * given what it needs. Spans wait in a queue of OTEL_BSP_MAX_QUEUE_SIZE, and those beyond it are dropped.
 */
export async function startTracing({ protocol, onFailed }: TracingOptions): Promise<Tracing> {
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'sluice', 'host.name': hostname() }).merge(
      detectResources({ detectors: [envDetector] }),
    ),
    spanProcessors: [new BatchSpanProcessor(await spanExporter(protocol, onFailed))],
  });
  const tracer = provider.getTracer('sluice');
  const requests = new RequestSpans(tracer);
  return {
    requests,
    around: (log, database) => new TracedEventLog({ log, tracer, parent: () => requests.current, database }),
    async close() {
      const patience = Promise.withResolvers<void>();
      const timer = setTimeout(patience.resolve, FLUSH);
      // A failure has been told to onFailed.
      await Promise.race([provider.shutdown().catch(() => undefined), patience.promise]);
      clearTimeout(timer);
    },
  };
}
