import { expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import { openStream } from '../../support/sse-reader.ts';
import { MAIN } from '../../support/started-program.ts';

/** Loaded before everything else. Prints each later module to stderr, from import and from require. */
const SAY_WHAT_IS_LOADED = `
import { registerHooks } from 'node:module';
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    process.stderr.write('loaded ' + found.url + ' by ' + context.parentURL + '\\n');
    return found;
  },
});`;

/** The modules that a broker loads until it has published and streamed. */
async function modulesLoaded(env: Record<string, string>): Promise<string[]> {
  const hooks = `--import=data:text/javascript,${encodeURIComponent(SAY_WHAT_IS_LOADED)}`;
  const broker = await startBroker({ ...env, NODE_OPTIONS: hooks }, undefined, [MAIN]);
  const stream = await openStream(`${broker.url}/events/news`);
  await stream.until('sluice:ready');
  await broker.publish('news', 1);
  await stream.next();
  stream.close();
  await broker.stop();
  return broker.log().filter((line) => line.startsWith('loaded '));
}

/** Leaves out the API of OpenTelemetry, which prom-client needs. The API alone does nothing. */
const ofTracing = (modules: string[]): string[] =>
  modules.filter((line) => {
    const [, url = '', by = ''] = /^loaded (\S+) by (\S+)$/.exec(line) ?? [];
    const api = url.includes('/@opentelemetry/api/');
    if (api && /\/(?:prom-client|@opentelemetry\/api)\//.test(by)) return false;
    return (
      url.includes('opentelemetry') ||
      /\/src\/observe\/(?:tracing|span-exporter|request-spans)\.ts$/.test(url)
    );
  });

test.each([
  ['no endpoint is set', {}],
  ['the endpoint is empty', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }],
  [
    'it is all switched off',
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_SDK_DISABLED: 'true' },
  ],
  [
    'no traces are wanted',
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_TRACES_EXPORTER: 'none' },
  ],
])('no module of OpenTelemetry is loaded where %s', async (_where, env) => {
  const modules = await modulesLoaded({ OTEL_SERVICE_NAME: 'sluice', ...env });
  expect(modules.length).toBeGreaterThan(100);
  expect(ofTracing(modules)).toEqual([]);
});

test.each([
  ['http/json', 'exporter-trace-otlp-http', 'exporter-trace-otlp-proto'],
  ['http/protobuf', 'exporter-trace-otlp-proto', 'exporter-trace-otlp-http'],
])('with %s, only its exporter is loaded', async (protocol, used, unused) => {
  const modules = ofTracing(
    await modulesLoaded({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_TRACES_SAMPLER: 'always_off',
    }),
  );
  expect(modules.filter((line) => line.includes(used))).not.toEqual([]);
  expect(modules.filter((line) => line.includes(unused))).toEqual([]);
});
