import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { findProgram } from '../support/find-program.ts';
import { startLossyRelay } from '../support/lossy-relay.ts';
import { openStream } from '../support/sse-reader.ts';

const FOLDER = join(import.meta.dirname, '../../examples');
/** The first run of Go compiles its standard library. */
const LIMIT = 120_000;

/** The command for each example; undefined when this machine lacks the language. */
const commands: Readonly<Record<string, readonly string[] | undefined>> = {
  'publish.sh': found('curl') && ['sh'],
  'publish.mjs': [process.execPath],
  'publish.py': found('python3'),
  'publish.go': found('go') && ['go', 'run'],
  'publish.php': found('php'),
};
const runnable = Object.entries(commands).flatMap(([file, command]) =>
  command === undefined ? [] : [{ file, command }],
);

function found(program: string): readonly string[] | undefined {
  return findProgram(program) === undefined ? undefined : [program];
}

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
  const left = Object.keys(commands).filter((file) => commands[file] === undefined);
  if (left.length > 0)
    console.warn(
      `tests: NOT RUN, because this machine lacks their languages: ${left.join(', ')} in examples/.`,
    );
});
afterAll(() => broker.kill());

async function run(
  { file, command }: (typeof runnable)[number],
  url: string,
  key: string,
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const [program = '', ...options] = command;
  const env = { ...process.env, SLUICE_URL: url, SLUICE_KEY: key, ...more };
  return await new Promise((resolve) => {
    const all = [...options, join(FOLDER, file), ...args];
    execFile(program, all, { env, timeout: LIMIT }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
  });
}

test('the examples in languages that Sluice itself needs can run', () => {
  expect(runnable.map(({ file }) => file)).toContain('publish.mjs');
});

describe.each(runnable)('examples/$file', (example) => {
  test(
    'publishes once, although one answer is lost and the second is a 503',
    async () => {
      // The name does not end in .go: go run would take it for a source file.
      const channel = `examples.${example.file}.once`;
      const relay = await startLossyRelay(broker.url);
      const stream = await openStream(`${broker.url}/events/${channel}`);
      await stream.until('sluice:ready');
      const data = 'Grüße, "Welt" & {alle} @home\nzweite Zeile';
      const outcome = await run(example, relay.url, broker.key, [channel, data, 'greeted']);
      expect(outcome.code, outcome.stderr).toBe(0);
      const event = await stream.next();
      expect(event).toMatchObject({ event: 'greeted', data });
      expect(JSON.parse(outcome.stdout)).toEqual({ channel, id: event.id });
      const last = await broker.publish(channel, 'and nothing else');
      expect(await stream.next()).toMatchObject({ id: last });
      expect(relay.keys).toHaveLength(3);
      expect(new Set(relay.keys).size).toBe(1);
      expect(relay.keys[0]).not.toBe('');
      stream.close();
      await relay.close();
    },
    LIMIT,
  );

  test(
    'ends the channel when it is asked to',
    async () => {
      const channel = `examples.${example.file}.end`;
      const stream = await openStream(`${broker.url}/events/${channel}`);
      await stream.until('sluice:ready');
      const env = { SLUICE_CLOSE: 'true' };
      const outcome = await run(example, broker.url, broker.key, [channel, 'bye', 'left'], env);
      expect(outcome.code, outcome.stderr).toBe(0);
      await stream.ended;
      const { id } = JSON.parse(outcome.stdout) as { id: string };
      expect(stream.events.slice(1)).toEqual([
        { id, event: 'left', data: 'bye' },
        { id, event: 'sluice:end', data: `{"channel":"${channel}"}` },
      ]);
    },
    LIMIT,
  );

  test(
    'prints why it was refused, and does not try again',
    async () => {
      const relay = await startLossyRelay(broker.url);
      const { code, stdout, stderr } = await run(example, relay.url, 'a-wrong-key', ['news', 'hello']);
      expect(code).toBe(1);
      expect(stdout).toBe('');
      expect(stderr).toContain('401');
      expect(stderr).toContain('urn:sluice:problem:unauthorized');
      expect(relay.keys).toHaveLength(1);
      await relay.close();
    },
    LIMIT,
  );
});
