import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { cpuOf } from '../support/process-usage.ts';
import { publishLoad } from './publish-load.ts';

/**
 * The only guard that measures time: the broker's CPU time against a fixed baseline server under the same load. The two
 * take turns, and the limit leaves room on both sides.
 */

const PUBLISHERS = 8;
const SUBSCRIBERS = 5;
const PUBLISHES = 1_000;
const ROUNDS = 4;
const WARM_UP_ROUNDS = 4;
/** The ratio is below 0.5. With every publish through Node's HTTP server it is above 0.7. */
const MOST = 0.6;

let broker: Broker;
let baseline: ChildProcess;
let baselinePort: number;
beforeAll(async () => {
  broker = await startBroker();
  baseline = spawn(process.execPath, [join(import.meta.dirname, 'baseline-server.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(baseline.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  baselinePort = Number(line.toString());
});
afterAll(async () => {
  baseline.kill('SIGKILL');
  await broker.kill();
});

async function subscribe(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write('GET /events/news HTTP/1.1\r\nHost: broker.test\r\n\r\n');
  await once(socket, 'data');
  socket.resume();
  return socket;
}

/** Returns the CPU ticks that the process uses for one round of the load. */
async function round(pid: number, port: number): Promise<number> {
  const before = await cpuOf(pid);
  await publishLoad({ port, key: broker.key }, PUBLISHERS, PUBLISHES);
  return (await cpuOf(pid)) - before;
}

test.runIf(process.platform === 'linux')(
  'publishing and fan-out cost a fraction of what a plain server needs',
  async () => {
    const baselinePid = baseline.pid as number;
    const sockets = await Promise.all(
      Array.from({ length: SUBSCRIBERS }, () => [subscribe(broker.port), subscribe(baselinePort)]).flat(),
    );
    // Warms up both servers, so that their code is compiled. One round is too short for that on a busy machine.
    for (let i = 0; i < WARM_UP_ROUNDS; i++) {
      await round(broker.pid, broker.port);
      await round(baselinePid, baselinePort);
    }
    let ours = 0;
    let theirs = 0;
    for (let i = 0; i < ROUNDS; i++) {
      ours += await round(broker.pid, broker.port);
      theirs += await round(baselinePid, baselinePort);
    }
    for (const socket of sockets) socket.destroy();
    expect(ours / theirs).toBeLessThan(MOST);
  },
);
