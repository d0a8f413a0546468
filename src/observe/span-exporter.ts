import { ExportResultCode } from '@opentelemetry/core';
import type { SpanExporter } from '@opentelemetry/sdk-trace-base';

/** How spans are sent: OTLP over HTTP, in either of its encodings. */
export type TraceProtocol = 'http/protobuf' | 'http/json';

/**
 * Sends spans to the endpoint that OTEL_EXPORTER_OTLP_* names.
 *
 * @param onFailed called with the reason, which holds no secret, when an export failed and its spans are dropped
 */
export async function spanExporter(
  protocol: TraceProtocol,
  onFailed: (reason: string) => void,
): Promise<SpanExporter> {
  const exporter = await exporterFor(protocol);
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.code !== ExportResultCode.SUCCESS) onFailed(reasonOf(result.error));
        done(result);
      });
    },
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
  };
}

async function exporterFor(protocol: TraceProtocol) {
  switch (protocol) {
    case 'http/protobuf': {
      const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
      return new OTLPTraceExporter();
    }
    case 'http/json': {
      const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
      return new OTLPTraceExporter();
    }
  }
}

/** The error's code, or the status of the answer. Messages are not used: they may quote headers with credentials. */
function reasonOf(error: (Error & { readonly code?: string | number }) | undefined): string {
  const { code } = error ?? {};
  return code === undefined ? 'no answer in time' : typeof code === 'number' ? `HTTP ${code}` : code;
}
