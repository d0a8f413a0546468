import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { documentShell } from '../support/document-shell.ts';
import { startEdge } from '../support/edge.ts';
import type { Edge } from '../support/edge.ts';
import { Terminal } from '../support/terminal.ts';

const lines = documentShell('docs/proxies.md', import.meta.filename);

let broker: Broker;
let edge: Edge;
let terminal: Terminal;
beforeAll(async () => {
  broker = await startBroker({ SLUICE_HEARTBEAT: '300ms' });
  const { host } = new URL(broker.url);
  // nginx asks no port for health.
  edge = await startEdge('nginx', { replicas: [host, host], adminPort: 0, silence: '1s' });
  terminal = new Terminal({
    first: lines('URL=http'),
    replace: [
      ['http://localhost:8080', edge.url],
      ['demo-key', broker.key],
      // The shorter times have the same order as the documented ones: a heartbeat, the idle time-out, the end of curl.
      ['--max-time 150', '--max-time 2'],
      ['sleep 2', 'sleep 0.5'],
    ],
  });
});
afterAll(async () => {
  terminal.remove();
  await edge.stop();
  await broker.kill();
});

test('the lines that test a proxy succeed with the documented nginx', async () => {
  const [event, , first] = await Promise.all([
    terminal.run(lines('data: hello')),
    expect(terminal.run(lines('events/proxy-quiet'))).rejects.toThrow('Operation timed out'),
    terminal.run(lines('proxy-upload?each=line')),
  ]);
  expect(event).toContain('data: hello');
  expect(first).toContain('data: first');
  await broker.stop();
  const said = await terminal.run(lines('curl -sSi'));
  expect(said).toMatch(/^HTTP\/1\.1 200 .*event: sluice:closing.*HTTP\/1\.1 503 .*Retry-After: 2/s);
});
