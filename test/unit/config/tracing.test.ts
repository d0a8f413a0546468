import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/config.ts';

const OTEL_EXPORTER_OTLP_ENDPOINT = 'http://collector:4318';

test.each([
  [undefined, {}],
  [undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }],
  [undefined, { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SDK_DISABLED: 'True' }],
  [undefined, { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }],
  [undefined, { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_EXPORTER: 'None' }],
  ['http/protobuf', { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_EXPORTER: 'otlp' }],
  ['http/protobuf', { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_EXPORTER: 'OTLP' }],
  ['http/json', { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'HTTP/JSON' }],
  ['http/protobuf', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://collector/v1/traces' }],
  ['http/json', { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }],
  [
    'http/json',
    {
      OTEL_EXPORTER_OTLP_ENDPOINT,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
    },
  ],
  ['http/protobuf', { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio' }],
])('tracing: %s with %j', (protocol, env) => {
  expect(loadConfig(env).tracing).toBe(protocol);
});

const wrong = [
  ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc', 'expected http/protobuf or http/json'],
  ['OTEL_TRACES_EXPORTER', 'zipkin', 'expected otlp'],
  ['OTEL_TRACES_SAMPLER', 'jaeger_remote', 'expected always_on'],
  ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'collector:4317', 'not an http:// or https:// URL'],
] as const;

describe('a setting that cannot be applied stops the start', () => {
  test.each(wrong)('%s=%s', (name, value, expected) => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT, [name]: value };
    expect(() => loadConfig(env)).toThrow(name);
    expect(() => loadConfig(env)).toThrow(expected);
  });

  test('but not while tracing is off: the variables may be meant for other programs', () => {
    for (const [name, value] of wrong)
      expect(loadConfig({ [name]: value, OTEL_SDK_DISABLED: 'true' }).tracing).toBeUndefined();
  });

  test('and the message does not repeat the endpoint, which may hold a password', () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'user:hunter2@collector:4318' };
    expect(() => loadConfig(env)).toThrow('OTEL_EXPORTER_OTLP_ENDPOINT');
    expect(() => loadConfig(env)).not.toThrow('hunter2');
  });
});
