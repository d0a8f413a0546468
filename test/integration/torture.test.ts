import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TortureOutcome } from '../../bench/torture/run-torture.ts';
import type { ReaderVerdict } from '../../bench/torture/verdict.ts';

const MAIN = join(import.meta.dirname, '../../bench/torture.ts');
const LOAD = ['--seconds', '1', '--readers', '2', '--patience', '2', '--retry', '0.1'];
/** Only a reader that misses something needs the patience. Sluice's readers come back after up to 3 s. */
const PATIENT = ['--patience', '15'];

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-torture-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly outcomes: readonly TortureOutcome[];
}

let runs = 0;

/** Runs `npm run torture`, as a person does. */
async function torture(...args: readonly string[]): Promise<Run> {
  const file = join(folder, `${runs++}.json`);
  const command = [MAIN, ...LOAD, '--json', file, ...args];
  const { code, stdout, stderr } = await new Promise<Omit<Run, 'outcomes'>>((resolve) => {
    execFile(process.execPath, command, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout: out, stderr: err }),
    );
  });
  const written = code === 2 ? '{"outcomes":[]}' : await readFile(file, 'utf8');
  const { outcomes } = JSON.parse(written) as { outcomes: TortureOutcome[] };
  return { code, stdout, stderr, outcomes };
}

/** What must be 0, and what must not, of one reader. */
function faultsOf({ missingInSilence, missingInGaps, twice, outOfOrder, gaveUp }: ReaderVerdict): object {
  return { missingInSilence, missingInGaps, twice, outOfOrder, gaveUp };
}

const NO_FAULTS = { missingInSilence: 0, missingInGaps: 0, twice: 0, outOfOrder: 0 };

/**
 * A server of Server-Sent Events with a history, which treats some events of the first publisher badly: it loses those whose
 * number ends in 3, replaces those in 5 by a notice, sends those in 7 twice, and sends those in 8 after the next event.
 */
class BadServer {
  url = '';
  readonly #frames: string[] = [];
  readonly #streams = new Set<ServerResponse>();
  #delayed: string | undefined;
  /** How many events were treated in each way. */
  readonly counts = { lost: 0, replaced: 0, doubled: 0, delayed: 0 };
  /** Refuses every subscriber that comes back. */
  readonly #refuses: boolean;
  readonly #server = createServer((request, response) => {
    if (request.method === 'POST') void this.#publish(request, response);
    else this.#subscribe(request, response);
  });

  constructor({ refuses }: { readonly refuses: boolean }) {
    this.#refuses = refuses;
  }

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
    this.url = `http://127.0.0.1:${address.port}`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #subscribe(request: IncomingMessage, response: ServerResponse): void {
    const id = Number(request.headers['last-event-id'] ?? -1);
    if (this.#refuses && id >= 0) {
      response.writeHead(503).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`:\n\n${this.#frames.slice(id < 0 ? this.#frames.length : id + 1).join('')}`);
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
  }

  async #publish(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { data } = JSON.parse(await text(request)) as { data: string };
    const [, , publisher = '', number = ''] = data.split('.');
    // Publishers are not in step: a notice for one's event may stand where an event of another was lost.
    const end = publisher === '1' ? number.at(-1) : '';
    if (end === '3') this.counts.lost++;
    else if (end === '5') {
      this.counts.replaced++;
      this.#send('event: lost\n', '');
    } else if (end === '8') {
      this.#delayed = data;
    } else {
      this.#send('', data);
      if (end === '7') {
        this.counts.doubled++;
        this.#send('', data);
      }
      if (publisher === '1' && this.#delayed !== undefined) {
        this.counts.delayed++;
        this.#send('', this.#delayed);
        this.#delayed = undefined;
      }
    }
    response.end();
  }

  /** The number of delayed events that no event followed: these are lost. */
  get kept(): number {
    return this.#delayed === undefined ? 0 : 1;
  }

  #send(fields: string, data: string): void {
    const frame = `id: ${this.#frames.length}\n${fields}data: ${data}\n\n`;
    this.#frames.push(frame);
    for (const stream of this.#streams) stream.write(frame);
  }
}

/** Runs the torture on a server that runs already. */
async function tortureBad(server: BadServer, ...args: readonly string[]): Promise<Run> {
  await server.start();
  try {
    const addresses = ['--url', `${server.url}/{channel}`, '--publish', server.url];
    return await torture(...addresses, '--gap-event', 'lost', ...args);
  } finally {
    server.stop();
  }
}

describe('the torture', () => {
  test.concurrent('finds nothing at Sluice when connections are cut', async () => {
    const { code, outcomes, stderr } = await torture('--system', 'sluice', '--scenario', 'drops', ...PATIENT);
    expect(stderr).toBe('');
    expect(outcomes[0]?.readers.map(faultsOf)).toEqual([NO_FAULTS, NO_FAULTS]);
    expect(outcomes[0]?.readers.every(({ connections }) => connections > 1)).toBe(true);
    expect(outcomes[0]?.published).toBeGreaterThan(20);
    expect(code).toBe(0);
  });

  test.concurrent('finds that a killed Sluice without a disk tells of every lost event', async () => {
    const { code, outcomes } = await torture('--system', 'sluice', '--scenario', 'kill', ...PATIENT);
    const told = { ...NO_FAULTS, missingInGaps: expect.any(Number) as number };
    expect(outcomes[0]?.readers.map(faultsOf)).toEqual([told, told]);
    expect(outcomes[0]?.readers.every(({ gapsTold }) => gapsTold > 0)).toBe(true);
    expect(code).toBe(0);
  });

  test.concurrent('finds what a bad server loses, repeats and delays, in spite of its connections being cut', async () => {
    const server = new BadServer({ refuses: false });
    // A busy machine publishes little in a second, and its readers come back late.
    const load = ['--seconds', '2', '--patience', '5'];
    const { code, outcomes, stdout } = await tortureBad(server, ...load, '--scenario', 'drops,failover');
    const { lost, replaced, doubled, delayed } = server.counts;
    const expected = {
      missingInSilence: lost + server.kept,
      missingInGaps: replaced,
      twice: doubled,
      outOfOrder: delayed,
    };
    expect(Math.min(lost, replaced, doubled, delayed)).toBeGreaterThan(0);
    expect(outcomes[0]?.readers.map(faultsOf)).toEqual([expected, expected]);
    expect(outcomes[1]?.notTried).toBe('a second node is needed');
    expect(stdout).toContain('not tried: a second node is needed');
    expect(code).toBe(1);
  });

  test.concurrent('says that a reader gave up where a browser gives up', async () => {
    const { code, outcomes } = await tortureBad(new BadServer({ refuses: true }), '--scenario', 'drops');
    expect(outcomes[0]?.readers.map(({ gaveUp }) => gaveUp)).toEqual(['answer 503', 'answer 503']);
    expect(code).toBe(1);
  });

  test.concurrent.each([
    [['--url', 'http://127.0.0.1:1/events', '--publish', 'http://127.0.0.1:1'], '--url needs {channel}'],
    [[], 'Give either --url and --publish, or --system.'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await torture(...args);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });
});
