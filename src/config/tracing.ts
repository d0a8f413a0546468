import type { TraceProtocol } from '../observe/span-exporter.ts';

const ENDPOINT = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'];
const PROTOCOL = ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL'];
const SAMPLERS = ['always_on', 'always_off', 'traceidratio'];

/**
 * Reads the standard OpenTelemetry variables. Returns undefined when no endpoint is set, or tracing is switched off. The
 * OpenTelemetry SDK reads the variables that this function does not.
 *
 * @param problems gets a line for each unsupported value, but only while tracing is on: these variables are often set for
 *   all programs of a machine
 */
export function readTracing(env: NodeJS.ProcessEnv, problems: string[]): TraceProtocol | undefined {
  const endpoint = firstSet(env, ENDPOINT);
  // OpenTelemetry says that enum values are case-insensitive.
  const exporter = (env['OTEL_TRACES_EXPORTER'] || 'otlp').toLowerCase();
  if (endpoint === undefined || env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || exporter === 'none')
    return undefined;
  if (exporter !== 'otlp')
    problems.push(`OTEL_TRACES_EXPORTER is "${exporter}"; expected otlp, or none for no tracing.`);
  // Does not show the URL, because it may hold credentials.
  if (!/^https?:$/.test(URL.parse(endpoint.value)?.protocol ?? ''))
    problems.push(
      `${endpoint.name} is not an http:// or https:// URL. Example: ${endpoint.name}=http://localhost:4318`,
    );
  const sampler = env['OTEL_TRACES_SAMPLER'] || 'parentbased_always_on';
  if (!SAMPLERS.includes(sampler.replace('parentbased_', '')))
    problems.push(
      `OTEL_TRACES_SAMPLER is "${sampler}"; expected ${SAMPLERS.join(', ')}, or one of these with parentbased_ in front.`,
    );
  const protocol = firstSet(env, PROTOCOL);
  switch (protocol?.value.toLowerCase()) {
    case undefined:
    case 'http/protobuf':
      return 'http/protobuf';
    case 'http/json':
      return 'http/json';
    default:
      problems.push(
        `${protocol?.name} is "${protocol?.value}"; expected http/protobuf or http/json. Collectors listen for both on port 4318.`,
      );
      return undefined;
  }
}

/** Returns the first variable that has a value. OpenTelemetry treats an empty variable as unset. */
function firstSet(
  env: NodeJS.ProcessEnv,
  names: readonly string[],
): { name: string; value: string } | undefined {
  for (const name of names) {
    const value = env[name]?.trim();
    if (value !== undefined && value !== '') return { name, value };
  }
  return undefined;
}
