import { ExportResultCode } from '@opentelemetry/core';
import type { SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { TraceProtocol } from '../core/trace-protocol.ts';

/**
 * Sends spans to where OTEL_EXPORTER_OTLP_* say.
 *
 * @param onFailed called with the reason, which holds no secret, when spans are given up
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

/** An error's code, or the status of the answer: messages may quote headers, and these have credentials. */
function reasonOf(error: (Error & { readonly code?: string | number }) | undefined): string {
  const { code } = error ?? {};
  return code === undefined ? 'no success in time' : typeof code === 'number' ? `HTTP ${code}` : code;
}
