import type { TraceProtocol } from '../core/trace-protocol.ts';

const ENDPOINT = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'];
const PROTOCOL = ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL'];
const SAMPLERS = ['always_on', 'always_off', 'traceidratio'];

/**
 * How spans are to be sent, by the variables that OpenTelemetry has defined for all programs; undefined while no endpoint
 * is set, or it is switched off. What is not looked at here is left to OpenTelemetry.
 *
 * @param problems gets a line for each variable that could not be followed, and only while tracing is on: these are often
 *   set for everything on a machine
 */
export function readTracing(env: NodeJS.ProcessEnv, problems: string[]): TraceProtocol | undefined {
  const endpoint = firstSet(env, ENDPOINT);
  // Its names of choices are to be read in whatever case (OpenTelemetry's configuration, Enum).
  const exporter = (env['OTEL_TRACES_EXPORTER'] || 'otlp').toLowerCase();
  if (endpoint === undefined || env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || exporter === 'none')
    return undefined;
  if (exporter !== 'otlp')
    problems.push(`OTEL_TRACES_EXPORTER is "${exporter}"; expected otlp, or none for no tracing.`);
  // It is not repeated: there may be credentials in it.
  if (!/^https?:$/.test(URL.parse(endpoint.value)?.protocol ?? ''))
    problems.push(
      `${endpoint.name} is no http:// or https:// URL. Example: ${endpoint.name}=http://localhost:4318`,
    );
  const sampler = env['OTEL_TRACES_SAMPLER'] || 'parentbased_always_on';
  if (!SAMPLERS.includes(sampler.replace('parentbased_', '')))
    problems.push(
      `OTEL_TRACES_SAMPLER is "${sampler}"; expected ${SAMPLERS.join(', ')}, or one of these behind parentbased_.`,
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
        `${protocol?.name} is "${protocol?.value}"; expected http/protobuf or http/json, for which collectors listen on port 4318.`,
      );
      return undefined;
  }
}

/** An empty one counts as not set, as OpenTelemetry has it. */
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
