import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { HOSTILE_INPUTS } from './hostile-inputs.ts';
import type { HostileInput } from './hostile-inputs.ts';
import type { Delays } from './honest-witness.ts';

/** How one kind of input, in one size, affected the honest clients. */
export interface Pressure {
  readonly input: HostileInput;
  readonly size: number;
  readonly delays: Delays;
  /** How many times all of its requests were sent. */
  readonly rounds: number;
}

/** The history that the readers read: the number of events, and their size in bytes. */
const EVENTS = 300;
const EVENT_BYTES = 4 * 1024;
/** In ms. A connection without an answer after this time is closed. */
const PATIENCE = 1_000;

export interface PressureOptions {
  /** How long each kind in each size lasts, in ms; at least one round. */
  readonly each: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly inputs?: readonly HostileInput[];
  readonly onMeasured?: (pressure: Pressure) => void;
}

/**
 * Sends each hostile input in growing sizes, while an honest reader, an honest publisher and a probe measure how long
 * they wait.
 */
export async function pressure(options: PressureOptions): Promise<readonly Pressure[]> {
  const broker = await startBroker({
    SLUICE_TRUSTED_PROXIES: '127.0.0.1',
    SLUICE_HISTORY_SIZE: String(EVENTS),
    ...options.env,
  });
  const witness = fork(join(import.meta.dirname, 'honest-witness.ts'), [String(broker.port), broker.key]);
  try {
    await once(witness, 'message');
    const data = 'x'.repeat(EVENT_BYTES);
    for (let i = 0; i < EVENTS; i++) await broker.publish('hostile', data);
    const all: Pressure[] = [];
    for (const input of options.inputs ?? HOSTILE_INPUTS) {
      for (const size of input.sizes) {
        const measured = await measure(broker, witness, { input, size, each: options.each });
        all.push(measured);
        options.onMeasured?.(measured);
      }
    }
    return all;
  } finally {
    witness.kill();
    await broker.kill();
  }
}

async function measure(
  broker: Broker,
  witness: ChildProcess,
  { input, size, each }: { input: HostileInput; size: number; each: number },
): Promise<Pressure> {
  const requests = input.requests(size, broker.key);
  witness.send('begin');
  const began = performance.now();
  let rounds = 0;
  do {
    await Promise.all(requests.map((bytes) => exchange(broker.port, bytes, input.unit === 'readers')));
    rounds++;
  } while (performance.now() - began < each);
  witness.send('end');
  const [delays] = (await once(witness, 'message')) as [Delays];
  return { input, size, delays, rounds };
}

/** Sends the request. Resolves when the request is answered, or when the stream is ready. */
async function exchange(port: number, bytes: Buffer, isStream: boolean): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined); // 'close' follows
  socket.setTimeout(PATIENCE, () => socket.destroy());
  socket.write(bytes);
  socket.on('data', (chunk: Buffer) => {
    if (!isStream || chunk.includes('sluice:ready')) socket.destroy();
  });
  await once(socket, 'close');
}
