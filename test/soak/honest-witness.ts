import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { requestBytes } from '../support/raw-http.ts';

// A process of its own, so that the load of the parent process does not delay the measurements. It publishes and reads
// on a channel of its own, asks for /livez over new connections, and reports the longest wait of each.

/** In ms. */
export interface Delays {
  publish: number;
  delivery: number;
  probe: number;
  /** Events that were acknowledged and have not arrived. */
  missing: number;
}

const CHANNEL = 'honest';
const PAUSE = 10;

const [portText = '', key = ''] = process.argv.slice(2);
const port = Number(portText);
let delays: Delays = nothing();
let acknowledged = 0;
let received = 0;
let publishes = 0;
let probes = 0;
const waiting = new Set<() => void>();

function nothing(): Delays {
  return { publish: 0, delivery: 0, probe: 0, missing: 0 };
}

async function open(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  await once(socket, 'connect');
  return socket;
}

async function read(): Promise<void> {
  const socket = await open();
  const ready = Promise.withResolvers<void>();
  const parser = createParser({
    onEvent: ({ event, data }) => {
      if (event === 'sluice:ready') ready.resolve();
      if (event !== undefined) return;
      received++;
      delays.delivery = Math.max(delays.delivery, performance.now() - Number(data));
      wake();
    },
  });
  let inBody = false;
  socket.on('data', (chunk: Buffer) => {
    const text = chunk.toString();
    const end = inBody ? 0 : text.indexOf('\r\n\r\n') + 4;
    inBody = true;
    parser.feed(text.slice(end));
  });
  socket.write(requestBytes({ path: `/events/${CHANNEL}` }));
  await ready.promise;
}

async function publish(): Promise<never> {
  const socket = await open();
  for (;;) {
    const began = performance.now();
    const body = String(began);
    const headers = [`Authorization: Bearer ${key}`, `Content-Length: ${body.length}`];
    socket.write(requestBytes({ method: 'POST', path: `/publish/${CHANNEL}`, headers, body }));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    delays.publish = Math.max(delays.publish, performance.now() - began);
    if (answer.toString('latin1', 0, 12) === 'HTTP/1.1 200') acknowledged++;
    else delays.missing++;
    publishes++;
    wake();
    await delay(PAUSE);
  }
}

async function probe(): Promise<never> {
  for (;;) {
    const began = performance.now();
    const socket = await open();
    socket.write(requestBytes({ path: '/livez', headers: ['Connection: close'] }));
    await once(socket, 'data');
    delays.probe = Math.max(delays.probe, performance.now() - began);
    socket.destroy();
    probes++;
    wake();
    await delay(PAUSE);
  }
}

function wake(): void {
  for (const check of waiting) check();
}

async function when(condition: () => boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    const check = (): void => {
      if (!condition()) return;
      waiting.delete(check);
      resolve();
    };
    waiting.add(check);
    check();
  });
}

/** Resolves once every request under way was answered, and every acknowledged event has arrived. */
async function settled(): Promise<void> {
  const [publishesBefore, probesBefore] = [publishes, probes];
  await when(() => publishes > publishesBefore && probes > probesBefore);
  const goal = acknowledged;
  await when(() => received >= goal);
}

process.on('message', (message) => {
  if (message === 'begin') delays = nothing();
  else void settled().then(() => process.send?.(delays));
});
await read();
void publish();
void probe();
process.send?.('here');
